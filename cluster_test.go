package realtime_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/bus/bustest"
	"boundary-app.org/realtime/realtimetest"
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

// After the reply to a refresh, what another node sends to a new role arrives.
func TestRefreshedRolesAreKnown(t *testing.T) {
	withFaults(t, 2, func(t *testing.T, b *bustest.Faulty, servers []*server) {
		c := servers[0].dial(t, claims{"sub": "u1"})
		b.SetDelay(100 * time.Millisecond)
		c.send(`{"action":"refresh","token":"` + token(t, claims{"sub": "u1", "roles": []string{"editor"}}) + `"}`)
		c.wants("$reply")
		wantsReceipt(t, func() (realtime.Receipt, error) {
			return servers[1].SendToRole(t.Context(), "editor", realtime.Message{Type: "x"})
		}, 1, time.Second)
		c.wants("x")
	})
}
