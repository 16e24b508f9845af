package realtime_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/bus"
)

// cluster starts two services on one bus.
func cluster(t *testing.T, w way, handler realtime.HandlerOptions) (a, b *server) {
	t.Helper()
	shared := bus.NewMemory()
	return startOver(t, w, realtime.Options{Bus: shared}, handler), startOver(t, w, realtime.Options{Bus: shared}, handler)
}

// silentNode is a member of a bus without connections.
type silentNode struct{}

func (silentNode) Deliver(bus.Envelope) bus.Reply           { return bus.Reply{} }
func (silentNode) Answer(context.Context, []byte) []byte    { return nil }
func (silentNode) MembersChanged(joined, left []bus.NodeID) {}

// joinBus joins a node without connections, through which a test publishes.
func joinBus(t *testing.T, b bus.Bus) bus.Node {
	t.Helper()
	n, err := b.Join(t.Context(), bus.NewNodeID(), silentNode{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// R17: what is sent on one node reaches the connections of all, each exactly
// once, in order, and the count is that of the whole cluster.
func TestClusterSends(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		a, b := cluster(t, w, realtime.HandlerOptions{
			OnOpen: func(_ context.Context, c *realtime.Conn) error { return c.Subscribe("t") },
		})
		onA, onB, other := a.dial(t, user("u1", "r")), b.dial(t, user("u1", "r")), b.dial(t, user("u2"))
		for _, origin := range []*server{a, b} {
			for _, send := range []struct {
				to   realtime.Address
				want []*client
			}{
				{realtime.User("u1"), []*client{onA, onB}},
				{realtime.User("u2"), []*client{other}},
				{realtime.Role("r"), []*client{onA, onB}},
				{realtime.Connection(onA.id), []*client{onA}},
				{realtime.Connection(onB.id), []*client{onB}},
				{realtime.Topic("t"), []*client{onA, onB, other}},
				{realtime.Everyone(), []*client{onA, onB, other}},
			} {
				receipt, err := origin.Send(t.Context(), send.to, realtime.Message{Type: send.to.String()})
				if err != nil || receipt.Recipients != len(send.want) {
					t.Errorf("%s: %+v, %v; want %d recipients", send.to, receipt, err, len(send.want))
				}
				for _, c := range send.want {
					c.wants(send.to.String())
				}
			}
		}
		for _, c := range []*client{onA, onB, other} {
			c.wantsNothing()
		}
	})
}

// Connections are subscribed, unsubscribed and closed from any node (D9).
func TestClusterOrders(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		a, b := cluster(t, w, realtime.HandlerOptions{})
		onA, onB := a.dial(t, user("u1")), b.dial(t, user("u1"))
		ctx := t.Context()
		for _, order := range []struct {
			name string
			do   func() (realtime.Receipt, error)
			want int // recipients of a message to the topic, afterwards
		}{
			{"subscribe", func() (realtime.Receipt, error) { return a.Subscribe(ctx, realtime.User("u1"), "t") }, 2},
			{"unsubscribe", func() (realtime.Receipt, error) { return b.Unsubscribe(ctx, realtime.User("u1"), "t") }, 0},
			{"subscribe again", func() (realtime.Receipt, error) { return b.Subscribe(ctx, realtime.User("u1"), "t") }, 2},
			{"unsubscribe all", func() (realtime.Receipt, error) { return a.UnsubscribeAll(ctx, realtime.User("u1")) }, 0},
		} {
			if receipt, err := order.do(); err != nil || receipt.Recipients != 2 {
				t.Errorf("%s: %+v, %v; want both connections", order.name, receipt, err)
			}
			if receipt := publish(t, a.Service, "t", "x"); receipt.Recipients != order.want {
				t.Errorf("after %s: %d recipients, want %d", order.name, receipt.Recipients, order.want)
			}
			if order.want > 0 {
				onA.wants("x")
				onB.wants("x")
			}
		}
		if receipt, err := a.Disconnect(ctx, realtime.Connection(onB.id), 0, "by the other node"); err != nil || receipt.Recipients != 1 {
			t.Errorf("disconnect: %+v, %v", receipt, err)
		}
		if reason := onB.wantsClose(4503); reason != "by the other node" {
			t.Errorf("reason %q", reason)
		}
		if a.ConnectionCount() != 1 || b.ConnectionCount() != 0 {
			t.Errorf("%d and %d connections, want 1 and 0", a.ConnectionCount(), b.ConnectionCount())
		}
		onA.wantsNothing()
	})
}

// Queries are about the node that is asked.
func TestClusterQueriesAreLocal(t *testing.T) {
	t.Parallel()
	a, b := cluster(t, overTransport, realtime.HandlerOptions{})
	c := a.dial(t, user("u1"))
	if b.Connection(c.id) != nil || len(b.Connections(realtime.User("u1"))) != 0 || b.ConnectionCount() != 0 {
		t.Error("a node finds another's connection")
	}
}

// R13: a listener runs once on each node.
func TestClusterListeners(t *testing.T) {
	t.Parallel()
	a, b := cluster(t, overTransport, realtime.HandlerOptions{})
	onA, _ := listen(t, a.Service, "t")
	onB, _ := listen(t, b.Service, "t")
	if receipt := publish(t, a.Service, "t", "x"); receipt.Recipients != 2 {
		t.Errorf("%d recipients, want 2", receipt.Recipients)
	}
	<-onA
	<-onB
	if len(onA)+len(onB) != 0 {
		t.Error("a listener heard a message twice")
	}
}

// A node that leaves takes nothing with it.
func TestClusterNodeLeaves(t *testing.T) {
	t.Parallel()
	a, b := cluster(t, overTransport, realtime.HandlerOptions{})
	stays := a.dial(t, user("u1"))
	b.dial(t, user("u1"))
	if err := b.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if receipt, err := a.SendToUser(t.Context(), "u1", realtime.Message{Type: "x"}); err != nil || receipt.Recipients != 1 {
		t.Errorf("%+v, %v; want one recipient", receipt, err)
	}
	stays.wants("x")
}

// Under publishers on both nodes nobody loses, repeats or reorders a message.
func TestClusterUnderLoad(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		a, b := cluster(t, w, realtime.HandlerOptions{})
		clients := []*client{a.dial(t, user("u1")), b.dial(t, user("u1"))}
		const messages = 300
		var wg sync.WaitGroup
		for i, origin := range []*server{a, b} {
			wg.Go(func() {
				for n := range messages {
					_, err := origin.SendToUser(context.Background(), "u1", realtime.Message{Type: fmt.Sprint(i), Payload: n})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		for _, c := range clients {
			next := map[any]float64{}
			for range 2 * messages {
				m := c.read()
				if m["payload"] != next[m["type"]] {
					t.Fatalf("publisher %v: message %v, want %v", m["type"], m["payload"], next[m["type"]])
				}
				next[m["type"]]++
			}
			c.wantsNothing()
		}
		wg.Wait()
	})
}
