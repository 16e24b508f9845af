package realtime_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/bus/bustest"
	"boundary-app.org/realtime/realtimetest"
)

// A revocation on one node closes connections on all, and all remember it.
func TestClusterRevocations(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		for name, r := range map[string]realtime.Revocation{"user": {User: "u1"}, "token id": {TokenID: "t1"}} {
			a, b := cluster(t, w, realtime.HandlerOptions{})
			c := issued()
			onA, onB, other := a.dial(t, c), b.dial(t, c), b.dial(t, user("u2"))
			revoke(t, a.Service, r, 2)
			onA.wantsClose(4503)
			onB.wantsClose(4503)
			other.wantsNothing()
			for _, s := range []*server{a, b} {
				if !refused(t, s.Service, token(t, c)) {
					t.Errorf("%s: a node takes the token", name)
				}
			}
		}
	})
}

// Where a connection is on another node, that node tells all which token it was
// made with; connections with the same token are closed everywhere.
func TestClusterRevokesAConnectionsToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]claims{"with id": issued(), "without": issued().with(claims{"jti": nil})} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := c.with(claims{"iat": time.Now().Add(-time.Hour).Unix(), "exp": time.Now().Add(time.Hour).Unix()})
				a, b := cluster(t, overTransport, realtime.HandlerOptions{})
				third := startOver(t, overTransport, realtime.Options{Bus: bus.NewMemory()}, realtime.HandlerOptions{})
				onA, onB, apart := a.dial(t, c), b.dial(t, c), third.dial(t, c)
				revoke(t, a.Service, realtime.Revocation{Connection: onB.id}, 1)
				onB.wantsClose(4503)
				synctest.Wait()
				onA.wantsClose(4503)
				apart.wantsNothing()
				for _, s := range []*server{a, b} {
					if !refused(t, s.Service, token(t, c)) {
						t.Error("a node takes the token")
					}
				}
			})
		})
	}
}

// slowBus holds back what is published to everyone until release is closed.
func slowBus(b bus.Bus, release <-chan struct{}) bus.Bus {
	return bustest.Intercept(b, func(ctx context.Context, node bus.Node, e bus.Envelope) (bus.Receipt, error) {
		if e.To.Route == bus.Everyone {
			select {
			case <-release:
			case <-ctx.Done():
				return bus.Receipt{}, ctx.Err()
			}
		}
		return node.Publish(ctx, e)
	})
}

// Shutdown waits until the bus has been told of a token, or has refused; what
// was not told is logged.
func TestShutdownWaitsForTheWordOfARevocation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &journal{}
		shared := slowBus(bus.NewMemory(), nil)
		svc := newService(t, realtime.Options{Bus: shared, Log: log.logger()})
		c, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: &realtime.Identity{UserID: "u1"}})
		if err != nil {
			t.Fatal(err)
		}
		revoke(t, svc, realtime.Revocation{Connection: c.ID()}, 1)
		start := time.Now()
		if err := svc.Shutdown(t.Context()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		wantsAfter(t, start, 10*time.Second, 10*time.Second)
		if text := log.String(); !strings.Contains(text, "other nodes do not know of a revoked token") || !strings.Contains(text, "deadline") {
			t.Errorf("the log: %s", text)
		}
	})
}

// A node that is told to shut down says first which token was revoked, while it is
// on the bus.
func TestShutdownTellsWhichTokenWasRevoked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		memory, release := bus.NewMemory(), make(chan struct{})
		slow := slowBus(memory, release)
		a, b := newService(t, realtime.Options{Bus: memory}), newService(t, realtime.Options{Bus: slow})
		id := &realtime.Identity{UserID: "u1", TokenID: "t1"}
		c, err := b.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id})
		if err != nil {
			t.Fatal(err)
		}
		revoke(t, a, realtime.Revocation{Connection: c.ID()}, 1)
		ended := make(chan error, 1)
		go func() { ended <- b.Shutdown(context.Background()) }()
		synctest.Wait()
		close(release)
		if err := <-ended; err != nil {
			t.Errorf("shutdown: %v", err)
		}
		_, err = a.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id})
		if !errors.Is(err, realtime.ErrRevoked) {
			t.Errorf("the other node: %v, want ErrRevoked", err)
		}
	})
}

// A shutdown that must not wait leaves the bus without a word, and that is logged.
func TestShutdownInHasteAndRevocations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &journal{}
		svc := newService(t, realtime.Options{Bus: slowBus(bus.NewMemory(), nil), Log: log.logger()})
		c, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: &realtime.Identity{UserID: "u1"}})
		if err != nil {
			t.Fatal(err)
		}
		revoke(t, svc, realtime.Revocation{Connection: c.ID()}, 1)
		start := time.Now()
		_ = svc.Shutdown(doneContext())
		wantsAfter(t, start, 0, 0)
		if text := log.String(); !strings.Contains(text, "other nodes do not know of a revoked token") {
			t.Errorf("the log: %s", text)
		}
	})
}

// What a node of another version sends is no reason to fall over.
func TestUnreadableRevocation(t *testing.T) {
	t.Parallel()
	log := &journal{}
	shared := bus.NewMemory()
	svc := newService(t, realtime.Options{Bus: shared, Log: log.logger()})
	stranger := joinBus(t, shared)
	_, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: &realtime.Identity{UserID: "u1"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{``, `[`, `{"keys":[{"kind":"planet","value":"u1"}],"until":99999999999999}`, `{}`} {
		receipt, err := stranger.Publish(t.Context(), bus.Envelope{To: bus.Address{Route: bus.Everyone}, Op: bus.Revoke, Body: []byte(body)})
		if err != nil || receipt.Recipients != 0 {
			t.Errorf("%s: %+v, %v", body, receipt, err)
		}
	}
	if strings.Count(log.String(), "a revocation cannot be read") != 2 || svc.ConnectionCount() != 1 {
		t.Errorf("the log: %s", log)
	}
}

// When the bus fails, the caller learns it, and the node itself knows already.
func TestRevokeWithoutABus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := newService(t, realtime.Options{Bus: slowBus(bus.NewMemory(), nil)})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := svc.Revoke(ctx, realtime.Revocation{User: "u1"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("revoke: %v", err)
		}
		if !refused(t, svc, token(t, user("u1"))) {
			t.Error("the node takes the token")
		}
	})
}
