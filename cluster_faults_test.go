package realtime_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/bus/bustest"
)

// withFaults runs a test in virtual time, with as many services on one faulty bus.
func withFaults(t *testing.T, services int, test func(t *testing.T, b *bustest.Faulty, servers []*server)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bustest.NewFaulty(t, 1)
		b.SetDelay(10 * time.Millisecond)
		var servers []*server
		for range services {
			servers = append(servers, startOver(t, overTransport, realtime.Options{Bus: b, PingInterval: -1}, realtime.HandlerOptions{}))
		}
		test(t, b, servers)
		for i, s := range servers {
			if err := s.ConsistencyCheck(); err != nil {
				t.Errorf("node %d: %v", i, err)
			}
		}
	})
}

// wantsReceipt fails the test unless an operation reaches so many connections,
// misses these nodes, and takes so long at most; if it is the time that a node has
// to reply, exactly so long.
func wantsReceipt(t *testing.T, do func() (realtime.Receipt, error), recipients int, took time.Duration, missing ...bus.NodeID) {
	t.Helper()
	begin := time.Now()
	receipt, err := do()
	if err != nil || receipt.Recipients != recipients || !slices.Equal(receipt.Missing, missing) {
		t.Errorf("%+v, %v; want %d recipients, missing %v", receipt, err, recipients, missing)
	}
	if d := time.Since(begin); d > took || took == bus.ReplyTime && d != took {
		t.Errorf("it took %v, want %v", d, took)
	}
}

const thereAndBack = 40 * time.Millisecond // twice, as subscribing takes

// A receipt names the nodes that did not reply in time. They are not waited for
// again until anything is heard of them.
func TestReceiptNamesMissingNodes(t *testing.T) {
	withFaults(t, 3, func(t *testing.T, b *bustest.Faulty, servers []*server) {
		silent := b.Nodes()[2]
		clients := []*client{servers[0].dial(t, user("u1")), servers[1].dial(t, user("u1")), servers[2].dial(t, user("u1"))}
		ctx := t.Context()
		operations := []func() (realtime.Receipt, error){
			func() (realtime.Receipt, error) { return servers[0].SendToUser(ctx, "u1", realtime.Message{Type: "x"}) },
			func() (realtime.Receipt, error) { return servers[0].Subscribe(ctx, realtime.User("u1"), "t") },
			func() (realtime.Receipt, error) { return servers[0].Unsubscribe(ctx, realtime.User("u1"), "t") },
		}
		for _, do := range operations {
			wantsReceipt(t, do, 3, thereAndBack)
		}
		b.Pause(silent)
		wantsReceipt(t, operations[0], 2, bus.ReplyTime, silent)
		for _, do := range operations {
			wantsReceipt(t, do, 2, thereAndBack, silent)
		}
		b.Resume(silent)
		time.Sleep(thereAndBack)
		wantsReceipt(t, operations[0], 3, thereAndBack)
		for i, messages := range []int{4, 4, 4} { // those that it could not confirm came late
			for range messages {
				clients[i].wants("x")
			}
			clients[i].wantsNothing()
		}
	})
}

// A node that is cut off says so, and refuses to send instead of doing a part of it.
func TestCutOffNode(t *testing.T) {
	withFaults(t, 2, func(t *testing.T, b *bustest.Faulty, servers []*server) {
		s, other := servers[0], servers[1]
		mine, others := s.dial(t, user("u1")), other.dial(t, user("u1"))
		id := b.Nodes()[0]
		b.Cut(id)
		if !s.Ready() {
			t.Error("it is not ready, and knows of nothing yet")
		}
		time.Sleep(bustest.GiveUpTime)
		synctest.Wait()
		_, err := s.SendToUser(t.Context(), "u1", realtime.Message{Type: "x"})
		if !errors.Is(err, bus.ErrRejected) || s.Ready() || !other.Ready() {
			t.Errorf("send: %v; ready: %v, %v", err, s.Ready(), other.Ready())
		}
		wantsReceipt(t, func() (realtime.Receipt, error) {
			return other.SendToUser(t.Context(), "u1", realtime.Message{Type: "x"})
		}, 1, 0)
		mine.wantsNothing()
		others.wants("x")
		b.Heal(id)
		time.Sleep(thereAndBack)
		wantsReceipt(t, func() (realtime.Receipt, error) { return s.SendToUser(t.Context(), "u1", realtime.Message{Type: "y"}) }, 2, thereAndBack)
		if !s.Ready() {
			t.Error("it is not ready again")
		}
		mine.wants("y")
		others.wants("y")
	})
}

// What is published elsewhere after a connection was made, or has subscribed,
// reaches it. Nodes without connections of an address are not asked.
func TestInterest(t *testing.T) {
	withFaults(t, 3, func(t *testing.T, b *bustest.Faulty, servers []*server) {
		origin, s := servers[0], servers[1]
		reaches := func(to realtime.Address, nodes int) {
			t.Helper()
			receipt, err := origin.Send(t.Context(), to, realtime.Message{Type: "x"})
			if err != nil || receipt.Nodes != nodes || receipt.Recipients != nodes && to != realtime.Everyone() {
				t.Errorf("to %s: %+v, %v; want %d nodes", to, receipt, err, nodes)
			}
		}
		c := s.dial(t, user("u1", "r1"))
		for _, to := range []realtime.Address{realtime.User("u1"), realtime.Role("r1"), realtime.Connection(c.id)} {
			reaches(to, 1)
			c.wants("x")
		}
		reaches(realtime.Everyone(), 3)
		c.wants("x")
		reaches(realtime.Topic("t"), 0)
		subscribe(t, s, c, "t")
		reaches(realtime.Topic("t"), 1)
		c.wants("x")
		_, stop := listen(t, s.Service, "listened")
		reaches(realtime.Topic("listened"), 1)
		stop()
		stop()
		s.Connection(c.id).Unsubscribe("t")
		time.Sleep(thereAndBack)
		reaches(realtime.Topic("listened"), 0)
		reaches(realtime.Topic("t"), 0)
		if receipt, err := origin.Subscribe(t.Context(), realtime.User("u1"), "t"); err != nil || receipt.Recipients != 1 {
			t.Errorf("subscribe: %+v, %v", receipt, err)
		}
		reaches(realtime.Topic("t"), 1)
		c.wants("x")
		s.Connection(c.id).Close(0, "")
		c.wantsClose(1000)
		time.Sleep(thereAndBack)
		reaches(realtime.User("u1"), 0)
	})
}

// Whatever is lost, late or cut off while connections come, subscribe and go,
// afterwards every node reaches every connection again.
func TestClusterOutlivesFaults(t *testing.T) {
	withFaults(t, 3, func(t *testing.T, b *bustest.Faulty, servers []*server) {
		random := rand.New(rand.NewPCG(1, 1))
		ids := b.Nodes()
		b.SetLoss(0.1)
		down := -1
		steps := []func(ctx context.Context, s *server){
			func(_ context.Context, s *server) { s.dial(t, user(fmt.Sprint("u", random.IntN(3)), "r")) },
			func(ctx context.Context, s *server) {
				_, _ = s.Subscribe(ctx, realtime.Role("r"), fmt.Sprint("t", random.IntN(3)))
			},
			func(ctx context.Context, s *server) {
				_, _ = s.Unsubscribe(ctx, realtime.User("u1"), fmt.Sprint("t", random.IntN(3)))
			},
			func(ctx context.Context, s *server) { _, _ = s.Disconnect(ctx, realtime.Topic("t0"), 0, "") },
			func(ctx context.Context, s *server) { _, _ = s.Revoke(ctx, realtime.Revocation{TokenID: "t"}) },
			func(ctx context.Context, s *server) {
				_, _ = s.PublishToTopic(ctx, "t1", realtime.Message{Type: "x"})
			},
			func(context.Context, *server) {
				if down < 0 {
					down = random.IntN(3)
					b.Cut(ids[down])
					return
				}
				b.Heal(ids[down])
				down = -1
			},
			func(context.Context, *server) { time.Sleep(2 * time.Second) },
		}
		for range 300 {
			steps[random.IntN(len(steps))](t.Context(), servers[random.IntN(3)])
		}
		b.SetLoss(0)
		if down >= 0 {
			b.Heal(ids[down])
		}
		time.Sleep(time.Second)
		connections := 0
		for _, s := range servers {
			connections += s.ConnectionCount()
		}
		for _, s := range servers {
			receipt, err := s.Send(t.Context(), realtime.Role("r"), realtime.Message{Type: "x"})
			if err != nil || receipt.Recipients != connections || receipt.Missing != nil || connections == 0 {
				t.Errorf("%+v, %v; want %d recipients", receipt, err, connections)
			}
		}
	})
}
