package faults_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/faultproxy"
	"boundary-app.org/realtime/wire"
)

// quick are the times of a node that is to find a silent client soon.
var quick = realtime.Options{PingInterval: 400 * time.Millisecond, PongTimeout: 400 * time.Millisecond}

// A connection whose network has gone away without a word is found by both
// sides, and leaves nothing behind.
func TestHalfOpen(t *testing.T) { everyFront(t, halfOpen) }

func halfOpen(t *testing.T, via front) {
	for name, test := range map[string]struct {
		action    faultproxy.Action
		ways      []faultproxy.Way
		protocols []string
		traffic   bool
	}{
		"stalled both ways":               {faultproxy.Stall, []faultproxy.Way{faultproxy.Up, faultproxy.Down}, nil, false},
		"stalled both ways, subprotocol":  {faultproxy.Stall, []faultproxy.Way{faultproxy.Up, faultproxy.Down}, []string{wire.Subprotocol}, false},
		"stalled both ways, with traffic": {faultproxy.Stall, []faultproxy.Way{faultproxy.Up, faultproxy.Down}, nil, true},
		"swallowed both ways":             {faultproxy.Swallow, []faultproxy.Way{faultproxy.Up, faultproxy.Down}, nil, true},
		"deaf":                            {faultproxy.Swallow, []faultproxy.Way{faultproxy.Down}, nil, false},
		"mute":                            {faultproxy.Swallow, []faultproxy.Way{faultproxy.Up}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := startBehind(t, via, quick, realtime.HandlerOptions{})
			c := n.dial("u1", faultproxy.Plan{}, test.protocols...)
			if err := c.subscribe("t"); err != nil {
				t.Fatal(err)
			}
			if reply, err := c.wait("$reply"); err != nil || !reply.OK {
				t.Fatalf("subscribe: %+v, %v", reply, err)
			}
			stop := func() {}
			if test.traffic {
				stop = n.chatter(realtime.Topic("t"))
			}
			c.link.Do(test.action, test.ways...)
			begun := time.Now()
			noticed := make(chan error, 1)
			go func() { noticed <- c.end() }()

			end := n.wantsClose(c.id)
			// A ping may have been answered just before; beside that there is the time
			// of one interval, of the pong, and what the machine takes.
			if passed := time.Since(begun); passed > quick.PingInterval+2*quick.PongTimeout+slack {
				t.Errorf("the server noticed after %v", passed)
			}
			if end.code != wire.CloseNoPong {
				t.Errorf("OnClose was told %d, want 4012", end.code)
			}
			stop()
			n.wantsNobody()

			err := eventually(t, noticed, "the client to notice")
			if deaf := len(test.ways) == 2 || test.ways[0] == faultproxy.Down; deaf && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a client that hears nothing ends with %v, want its own deadline", err)
			} else if !deaf && closeCode(err) != wire.CloseNoPong {
				t.Errorf("a client that nobody hears ends with %v, want 4012", err)
			}
		})
	}
}

// chatter publishes to an address, now and then, until stop is called.
func (n *node) chatter(to realtime.Address) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				n.publish(to, "chatter", 200)
			case <-ctx.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// A client that concludes from silence does not conclude it where there is none,
// and a short stall ends nothing.
func TestLivelyConnectionStays(t *testing.T) {
	t.Parallel()
	opts := realtime.Options{PingInterval: 100 * time.Millisecond, PongTimeout: 5 * time.Second}
	n := start(t, opts, realtime.HandlerOptions{})
	c := n.dial("u1", faultproxy.Plan{}, wire.Subprotocol)
	for range 5 {
		if _, err := c.wait("$ping"); err != nil {
			t.Fatalf("it has ended: %v", err)
		}
	}
	c.link.Do(faultproxy.Stall, faultproxy.Up, faultproxy.Down)
	n.publish(realtime.User("u1"), "p", 100)
	c.link.Do(faultproxy.Forward, faultproxy.Up, faultproxy.Down)
	if _, err := c.wait("stamp"); err != nil {
		t.Errorf("after a short stall: %v", err)
	}
	if got := n.ConnectionCount(); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
}
