package realtime_test

import (
	"context"
	"errors"
	"slices"
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

// Where a connection is on another node, that node knows its tokens: connections
// with the same token are closed everywhere.
func TestClusterRevokesAConnectionsToken(t *testing.T) {
	for name, id := range map[string]any{"with id": "t1", "without": nil} {
		t.Run(name, func(t *testing.T) {
			withFaults(t, 3, func(t *testing.T, _ *bustest.Faulty, servers []*server) {
				c := issued().with(claims{"jti": id})
				mine, same, other := servers[1].dial(t, c), servers[2].dial(t, c), servers[2].dial(t, user("u1"))
				revoke(t, servers[0].Service, realtime.Revocation{Connection: mine.id}, 2)
				mine.wantsClose(4503)
				same.wantsClose(4503)
				other.wantsNothing()
				for i, s := range servers {
					if !refused(t, s.Service, token(t, c)) {
						t.Errorf("node %d takes the token", i)
					}
				}
			})
		})
	}
}

// A node that does not reply is named, and learns of the revocation late. The
// others do not wait for it.
func TestRevocationMissesANode(t *testing.T) {
	withFaults(t, 3, func(t *testing.T, b *bustest.Faulty, servers []*server) {
		silent := b.Nodes()[2]
		c := issued()
		quick, late := servers[1].dial(t, c), servers[2].dial(t, c)
		b.Pause(silent)
		begin := time.Now()
		receipt, err := servers[0].Revoke(t.Context(), realtime.Revocation{User: "u1"})
		if err != nil || receipt.Recipients != 1 || !slices.Equal(receipt.Missing, []bus.NodeID{silent}) {
			t.Errorf("%+v, %v; want 1 connection, missing %s", receipt, err, silent)
		}
		if d := time.Since(begin); d > time.Second {
			t.Errorf("it took %v", d)
		}
		quick.wantsClose(4503)
		if _, err := servers[0].Revoke(t.Context(), realtime.Revocation{Connection: late.id}); !errors.Is(err, realtime.ErrNoReply) {
			t.Errorf("of a connection of the silent node: %v, want ErrNoReply", err)
		}
		b.Resume(silent)
		late.wantsClose(4503)
		if !refused(t, servers[2].Service, token(t, c)) {
			t.Error("the node takes the token")
		}
	})
}

// A node that was cut off has missed a revocation; repeated, it holds there, too.
func TestRepeatedRevocationReachesAllNodes(t *testing.T) {
	withFaults(t, 2, func(t *testing.T, b *bustest.Faulty, servers []*server) {
		cut := b.Nodes()[1]
		c := issued()
		mine := servers[1].dial(t, c)
		b.Cut(cut)
		for range 2 {
			receipt, err := servers[0].Revoke(t.Context(), realtime.Revocation{TokenID: "t1"})
			if err != nil || !slices.Equal(receipt.Missing, []bus.NodeID{cut}) {
				t.Fatalf("%+v, %v; want the node missing", receipt, err)
			}
		}
		b.Heal(cut)
		time.Sleep(thereAndBack)
		mine.wantsNothing()
		revoke(t, servers[0].Service, realtime.Revocation{TokenID: "t1"}, 1)
		mine.wantsClose(4503)
	})
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
