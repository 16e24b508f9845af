package faults_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/faultproxy"
	"boundary-app.org/realtime/internal/faults"
	"boundary-app.org/realtime/realtimetest"
)

// patience is how long a test waits for what happens at once.
const patience = time.Minute

// node is a service, and a proxy before it.
type node struct {
	*realtimetest.Server
	t      testing.TB
	front  front
	addr   string // of the front
	proxy  *faultproxy.Proxy
	ledger faults.Ledger
	closes chan ended // what OnClose was told
}

// ended is how the application saw a connection end.
type ended struct {
	id   string
	user string
	code realtime.CloseCode
}

// start starts a node whose sockets belong to its loops.
func start(t testing.TB, opts realtime.Options, handler realtime.HandlerOptions) *node {
	t.Helper()
	return startBehind(t, loops, opts, handler)
}

// startBehind starts a node. Its clients may subscribe to any topic.
func startBehind(t testing.TB, f front, opts realtime.Options, handler realtime.HandlerOptions) *node {
	t.Helper()
	n := &node{t: t, front: f, closes: make(chan ended, 4096)}
	onClose := handler.OnClose
	handler.OnClose = func(ctx context.Context, c *realtime.Conn, code realtime.CloseCode, reason string) {
		select {
		case n.closes <- ended{c.ID(), c.UserID(), code}:
		default: // the test does not ask
		}
		if onClose != nil {
			onClose(ctx, c, code, reason)
		}
	}
	if handler.AuthorizeTopic == nil {
		handler.AuthorizeTopic = func(context.Context, *realtime.Conn, string) error { return nil }
	}
	n.Server = realtimetest.NewServer(t, opts, handler)
	n.addr = f.listen(t, n.Handler(handler))
	var err error
	if n.proxy, err = faultproxy.New(n.addr, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// hear tells a channel what clients send.
func hear(to chan<- string) func(context.Context, *realtime.Conn, []byte) {
	return func(_ context.Context, _ *realtime.Conn, data []byte) { to <- string(data) }
}

// dial connects a user through the proxy. The client ends with the test.
func (n *node) dial(user string, plan faultproxy.Plan, protocols ...string) *client {
	n.t.Helper()
	conn, link, err := n.proxy.Dial(n.t.Context(), plan)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.upgraded(user, conn, link, protocols...)
}

// dialDirect connects a user without the proxy.
func (n *node) dialDirect(user string, protocols ...string) *client {
	n.t.Helper()
	conn, err := net.Dial("tcp", n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.upgraded(user, conn, nil, protocols...)
}

func (n *node) upgraded(user string, conn net.Conn, link *faultproxy.Conn, protocols ...string) *client {
	n.t.Helper()
	return n.admitted(realtime.Identity{UserID: user}, conn, link, protocols...)
}

func (n *node) admitted(id realtime.Identity, conn net.Conn, link *faultproxy.Conn, protocols ...string) *client {
	n.t.Helper()
	c, err := upgrade(n.front.client(conn), n.Token(id), protocols...)
	if err != nil {
		n.t.Fatalf("connect %s: %v", id.UserID, err)
	}
	c.link = link
	n.t.Cleanup(func() { _ = c.Close() })
	return c
}

// publish sends the next message of a source to an address and returns it.
func (n *node) publish(to realtime.Address, publisher string, size int) faults.Stamp {
	n.t.Helper()
	stamp := n.ledger.Next(faults.Source{Stream: to.String(), Publisher: publisher})
	message := realtime.Message{Type: "stamp", Payload: stamp.Payload(size)}
	if _, err := n.Send(context.Background(), to, message); err != nil {
		n.t.Errorf("send %v: %v", stamp, err)
	}
	return stamp
}

// wantsClose waits for OnClose of a connection.
func (n *node) wantsClose(id string) ended {
	n.t.Helper()
	for {
		if end := eventually(n.t, n.closes, "OnClose of "+id); end.id == id {
			return end
		}
	}
}

// wantsNobody checks that nothing is left of any connection.
func (n *node) wantsNobody() {
	n.t.Helper()
	if c, topics, subs := n.ConnectionCount(), n.TopicCount(), n.SubscriptionCount(); c != 0 || topics != 0 || subs != 0 {
		n.t.Errorf("%d connections, %d topics and %d subscriptions are left", c, topics, subs)
	}
}

// eventually waits for a value on a channel.
func eventually[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("in vain waited for %s", what)
		panic("unreachable")
	}
}

// becomes polls for what nothing tells of.
func becomes(t testing.TB, what string, reached func() bool) {
	t.Helper()
	timeout, ticker := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer ticker.Stop()
	for !reached() {
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("in vain waited until %s", what)
		}
	}
}

// wantsNothingWrong reports what a log has found.
func wantsNothingWrong(t testing.TB, l *faults.Log) {
	t.Helper()
	for _, f := range l.Findings() {
		t.Error(f)
	}
}

// follower is a client whose messages go to a log.
type follower struct {
	*client
	log *faults.Log
}

// follow gives a client a log of what it hears from here on: as its user, as
// everybody, and from streams it is subscribed to.
func (n *node) follow(c *client, user string, streams ...string) *follower {
	streams = append(streams, realtime.Everyone().String(), realtime.User(user).String())
	f := &follower{client: c, log: faults.NewLog(user, &n.ledger, streams...)}
	f.log.Open()
	for _, s := range streams {
		f.log.Follow(s, n.ledger.Marks(s))
	}
	return f
}

// until reads until the log is at a mark. Its error says how the connection
// ended before.
func (f *follower) until(last faults.Stamp) error {
	for f.log.Newest(last.Source) < last.Seq {
		m, err := f.next()
		if err != nil {
			return fmt.Errorf("before %v: %w", last, err)
		}
		if m.Type == "stamp" {
			f.log.Receive(m.Payload)
		}
	}
	return nil
}

// followers are clients that must get everything.
type followers struct {
	n       *node
	all     []*follower
	last    faults.Stamp
	running sync.WaitGroup
}

// bystanders connects clients without a fault, which must get all of so many
// broadcasts of a publisher.
func (n *node) bystanders(clients int, publisher string, broadcasts uint64) *followers {
	n.t.Helper()
	everyone := faults.Source{Stream: realtime.Everyone().String(), Publisher: publisher}
	b := &followers{n: n, last: faults.Stamp{Source: everyone, Seq: broadcasts}}
	n.t.Cleanup(b.running.Wait) // after the clients have been closed
	for i := range clients {
		user := fmt.Sprint("bystander-", i)
		b.all = append(b.all, n.follow(n.dialDirect(user), user))
	}
	for _, f := range b.all {
		b.running.Go(func() {
			if err := f.until(b.last); err != nil {
				n.t.Errorf("a bystander: %v", err)
			}
		})
	}
	return b
}

// wantAll waits until they have everything.
func (b *followers) wantAll() {
	b.n.t.Helper()
	b.running.Wait()
	for _, f := range b.all {
		f.log.End("the end of the test", b.n.ledger.Marks(b.last.Stream))
		wantsNothingWrong(b.n.t, f.log)
	}
}
