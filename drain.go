package realtime

import (
	"context"
	"math/rand/v2"
	"time"

	"boundary-app.org/realtime/wire"
)

// The pace of a drain: at least drainAtLeast connections each drainStep, so that a few
// are closed within a second; more when the window would not suffice otherwise.
const (
	drainStep    = 50 * time.Millisecond
	drainAtLeast = 25
)

// closePaced closes all connections, some each step.
func (s *Service) closePaced(ctx context.Context) error {
	conns := s.Connections(Everyone())
	window := s.opts.DrainWindow
	if deadline, ok := ctx.Deadline(); ok {
		window = min(window, time.Until(deadline))
	}
	pace := window*3/4 + 1 // the rest is for closing handshakes
	all, begun, closed := len(conns), time.Now(), 0
	ticker := time.NewTicker(drainStep)
	defer ticker.Stop()
	for {
		// By the time that has passed, for ticks are lost where processors are busy.
		due := float64(all) * float64(time.Since(begun)+drainStep) / float64(pace)
		batch := max(int(due)-closed, drainAtLeast)
		closed += batch
		if conns = drainSome(conns, batch); len(conns) == 0 {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// drainReason is the reason in the close frame of a drain.
const drainReason = "the server is shutting down; reconnect"

// drainSome closes the first of conns, at most so many, and returns the rest. Those
// whose clients have left by themselves do not count.
func drainSome(conns []*Conn, most int) (rest []*Conn) {
	for i, c := range conns {
		if most == 0 {
			return conns[i:]
		}
		if c.drain() {
			most--
		}
	}
	return nil
}

// drainDelay returns when a client should come back: each after a delay of its own.
func drainDelay() time.Duration { return max(time.Millisecond, rand.N(time.Second)) }

// drain sends $closing, which tells the client to come back after a delay, and the
// close frame. It returns false when the connection had ended before.
func (c *Conn) drain() bool {
	if !c.core.Send(wire.Closing{Reason: reasonDrain, ReconnectAfter: drainDelay()}.Encode()) {
		return false
	}
	return c.core.Close(uint16(drainCode(c.core.TextPing())), drainReason)
}

// drainCode returns the close code of a drain. Clients without the subprotocol
// get the code of RFC 6455 that means a restart: some libraries reconnect after
// it, and take 1001 for a page that the user has left.
func drainCode(subprotocol bool) CloseCode {
	if subprotocol {
		return CloseDrain
	}
	return CloseServiceRestart
}
