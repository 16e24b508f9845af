package realtime

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"boundary-app.org/realtime/wire"
)

// lifecycle is the life of a service. Its phases follow each other and never come
// back:
//
//	phase      begins when                what changes
//	serving    New returns                Ready is true
//	leaving    Shutdown is called         Ready is false; all is served as before
//	draining   Options.DrainDelay is over admitting is done: no client is admitted, those
//	                                      without a token are refused, the connections are closed
//	closed     all sockets are closed     callbacks is done: OnOpen, OnMessage and Verify should
//	                                      return; the service has left the bus
//	ended      all goroutines have ended  cleanup is done (before, when they take too long:
//	                                      OnClose and listeners should return); Shutdown returns
//
// Its methods are safe for concurrent use.
type lifecycle struct {
	leaving  atomic.Bool
	draining atomic.Bool   // changes under registering
	ended    chan struct{} // closed by end
	err      error         // of Shutdown; written before ended is closed

	// registering is held for reading while a client is registered, so that drain
	// finds every connection that was admitted before it.
	registering sync.RWMutex
	opening     sync.WaitGroup // clients from admit until OnOpen has returned

	admitting, callbacks, cleanup phase
}

// phase is a context, and what ends it.
type phase struct {
	context.Context
	end context.CancelFunc
}

func newPhase() phase {
	ctx, cancel := context.WithCancel(context.Background())
	return phase{ctx, cancel}
}

func newLifecycle() *lifecycle {
	return &lifecycle{ended: make(chan struct{}), admitting: newPhase(), callbacks: newPhase(), cleanup: newPhase()}
}

// admit calls register unless the service drains, and returns its error or
// ErrShutdown. After nil the client counts as opening: Shutdown waits until the
// caller has called opening.Done.
func (l *lifecycle) admit(register func() error) error {
	l.registering.RLock()
	defer l.registering.RUnlock()
	if l.draining.Load() {
		return ErrShutdown
	}
	if err := register(); err != nil {
		return err
	}
	l.opening.Add(1)
	return nil
}

// leave begins the end. It returns false when it has begun before.
func (l *lifecycle) leave() bool { return l.leaving.CompareAndSwap(false, true) }

// drain ends admitting. On its return every client that was admitted is registered.
func (l *lifecycle) drain() {
	l.registering.Lock()
	l.draining.Store(true)
	l.registering.Unlock()
	l.admitting.end()
}

// abort ends the life of a service that New does not return.
func (l *lifecycle) abort() {
	l.admitting.end()
	l.callbacks.end()
	l.cleanup.end()
}

// end publishes the result of Shutdown.
func (l *lifecycle) end(err error) {
	l.err = err
	close(l.ended)
}

// wait blocks until end was called, and returns its error.
func (l *lifecycle) wait() error {
	<-l.ended
	return l.err
}

// Shutdown ends the service in two steps. First Ready returns false, and for
// Options.DrainDelay everything is served as before, new connections too, so
// that load balancers learn to send their clients elsewhere. Then it drains: it
// takes no new connections, sends every client $closing with a reason and the
// delay before it should reconnect, and a close frame with 1012 (4001 for clients
// of the subprotocol), waits until the sockets are closed, leaves the bus and
// ends all goroutines. The closes are spread so that the reconnects reach the
// other nodes at a bounded rate: over DrainWindow at the longest, a few hundred
// connections within a second.
//
// Ctx bounds both steps: a deadline nearer than DrainDelay plus DrainWindow
// shortens them in proportion. When ctx is done before the drain is complete, the
// remaining connections are closed at once and the error says so; Shutdown then
// waits for callbacks for a second more. Later calls wait for the
// first and return its result. A callback must not call Shutdown: it would wait
// for itself.
func (s *Service) Shutdown(ctx context.Context) error {
	if s.life.leave() {
		s.delayDrain(ctx)
		s.life.end(s.drain(ctx))
	}
	return s.life.wait()
}

// delayDrain waits for DrainDelay, or for its share of the time until ctx's
// deadline.
func (s *Service) delayDrain(ctx context.Context) {
	delay := s.opts.DrainDelay
	if deadline, ok := ctx.Deadline(); ok {
		share := float64(delay) / float64(delay+s.opts.DrainWindow)
		delay = min(delay, time.Duration(share*float64(time.Until(deadline))))
	}
	if delay <= 0 {
		return
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		s.log.Info("the drain delay is over: no new connections, and the open ones are closed",
			"connections", s.ConnectionCount(), "window", s.opts.DrainWindow)
	case <-ctx.Done():
	}
}

func (s *Service) drain(ctx context.Context) error {
	s.life.drain()
	err := s.closePaced(ctx)
	if err == nil {
		err = s.engine.WaitClosed(ctx)
	}
	left := s.engine.Open()
	_ = s.node.Close()
	s.life.callbacks.end()
	ended := make(chan struct{})
	go func() {
		s.life.opening.Wait()
		s.engine.Stop()
		s.listeners.running.Wait()
		close(ended)
	}()
	if !s.awaitCallbacks(ctx, ended) {
		return fmt.Errorf("realtime: shutdown: callbacks of the application have not returned: %w", ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("realtime: shutdown: %d connections had not ended: %w", left, err)
	}
	return nil
}

// callbackTime is how long callbacks get to return once their context and the
// one of Shutdown have ended.
const callbackTime = time.Second

// awaitCallbacks waits until everything has ended. An OnClose that writes to a
// database, say, keeps its context for the time of a drain; then it ends.
func (s *Service) awaitCallbacks(ctx context.Context, ended <-chan struct{}) (ok bool) {
	defer s.life.cleanup.end()
	patience := time.NewTimer(s.opts.DrainWindow)
	defer patience.Stop()
	select {
	case <-ended:
		return true
	case <-patience.C:
	case <-ctx.Done():
	}
	s.life.cleanup.end()
	select {
	case <-ended:
		return true
	case <-ctx.Done():
	}
	patience.Reset(callbackTime)
	select {
	case <-ended:
		return true
	case <-patience.C:
		return false
	}
}

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

// drain sends $closing, which tells the client to come back after a delay, and the
// close frame. It returns false when the connection had ended before.
func (c *Conn) drain() bool {
	if !c.core.Send(wire.Closing{Reason: reasonDrain, ReconnectAfter: drainDelay()}.Encode()) {
		return false
	}
	return c.core.Close(uint16(drainCode(c.core.TextPing())), drainReason)
}
