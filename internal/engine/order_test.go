package engine

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/socket"
)

// TestOrderAgainstModel connects, subscribes, sends, unsubscribes and disconnects
// at random from one goroutine, among more members than one slice of a fan-out;
// clients say goodbye or vanish. It holds what every connection received against a
// list and a loop: the same messages, in the order they were sent across all
// groups, each once; who vanished has received the first of them. Meanwhile the
// engine finds itself consistent.
func TestOrderAgainstModel(t *testing.T) {
	t.Parallel()
	for i, way := range paths {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			runModel(t, way, rand.New(rand.NewPCG(uint64(i), 1)))
		})
	}
}

// modelPeer is what the model knows of a connection.
type modelPeer struct {
	*peer
	user, role string
	topics     map[string]bool
	want       []string
	closed     bool
	vanished   bool
}

// hangUp ends the connection from the client's side and waits until the handler
// has been told: with a close frame, so that all that was sent comes first, or by
// a reset. A Transport's owner ends it himself.
func (p *modelPeer) hangUp(reset bool) {
	p.closed = true
	if p.client == nil {
		p.Conn.Close(1000, "")
		return
	}
	if p.vanished = reset; reset {
		vanish(p.client)
	} else {
		_, _ = p.client.Write(fromClient(socket.OpClose, "\x03\xe8"))
	}
	<-p.ended
}

// vanish closes a connection so that its peer gets a reset.
func vanish(client net.Conn) {
	if secure, ok := client.(*tls.Conn); ok {
		client = secure.NetConn()
	}
	_ = client.(*net.TCPConn).SetLinger(0)
	_ = client.Close()
}

func runModel(t *testing.T, way path, random *rand.Rand) {
	e := newEngine(t, func(c *Config) { c.MaxBacklog, c.CloseTimeout = 64<<20, time.Minute })
	var peers []*modelPeer
	connect := func() {
		i := len(peers)
		p := &modelPeer{
			peer: newPeer(), topics: map[string]bool{}, want: []string{"open"},
			user: fmt.Sprint("u", i/3), role: fmt.Sprint("r", i%2),
		}
		peers = append(peers, p)
		register(t, e, way, p.peer, p.user, p.role)
	}
	for range 500 {
		connect()
	}
	for n := range 600 {
		if random.IntN(6) == 0 {
			connect()
		}
		step(t, e, peers, random, fmt.Sprint("message ", n))
		if n%50 == 0 {
			consistent(t, e)
		}
	}
	consistent(t, e)
	for _, p := range peers {
		p.Conn.Close(1000, "")
	}
	for i, p := range peers {
		got := p.log()
		if p.vanished {
			p.want = p.want[:min(len(got), len(p.want))]
		}
		if !slices.Equal(got, p.want) {
			t.Fatalf("connection %d received %d messages, want %d; %s", i, len(got), len(p.want), difference(got, p.want))
		}
	}
	if e.Count() != 0 || e.Subscriptions() != 0 {
		t.Errorf("%d connections and %d subscriptions are left", e.Count(), e.Subscriptions())
	}
	e.Groups(bus.Topic, func(name string, _ int) { t.Errorf("the topic %s is left", name) })
	consistent(t, e)
}

func consistent(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.ConsistencyCheck(); err != nil {
		t.Fatalf("the engine contradicts itself:\n%v", err)
	}
}

func step(t *testing.T, e *Engine, peers []*modelPeer, random *rand.Rand, text string) {
	p := peers[random.IntN(len(peers))]
	topic := fmt.Sprint("t", random.IntN(3))
	switch random.IntN(12) {
	case 0, 1, 2, 3:
		// Many join, so that topics outgrow a slice.
		for range 20 {
			p := peers[random.IntN(len(peers))]
			_, err := p.Subscribe(topic, 0)
			if (err != nil) != p.closed {
				t.Fatalf("subscribe: %v", err)
			}
			p.topics[topic] = true
		}
	case 4, 5:
		p.Unsubscribe(topic)
		delete(p.topics, topic)
	case 6:
		switch random.IntN(4) {
		case 0:
			p.Conn.Close(1000, "")
			p.closed = true
		case 1, 2:
			if !p.closed {
				p.hangUp(random.IntN(2) == 0)
			}
		}
	case 7:
		send(t, e, peers, bus.Everyone, "", text, func(*modelPeer) bool { return true })
	case 8:
		send(t, e, peers, bus.Role, p.role, text, func(o *modelPeer) bool { return o.role == p.role })
	case 9:
		send(t, e, peers, bus.User, p.user, text, func(o *modelPeer) bool { return o.user == p.user })
	case 10:
		send(t, e, peers, bus.Connection, p.ID().String(), text, func(o *modelPeer) bool { return o == p })
	case 11:
		send(t, e, peers, bus.Topic, topic, text, func(o *modelPeer) bool { return o.topics[topic] })
	}
}

func send(t *testing.T, e *Engine, peers []*modelPeer, route bus.Route, target, text string, hears func(*modelPeer) bool) {
	want := 0
	for _, p := range peers {
		if !p.closed && hears(p) {
			p.want = append(p.want, text)
			want++
		}
	}
	if got := e.Send(route, target, []byte(text)); got != want {
		t.Fatalf("%s to %s %q had %d recipients, want %d", text, route, target, got, want)
	}
}

func difference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("number %d is %q, want %q", i, got[i], want[i])
		}
	}
	return "one is the beginning of the other"
}

// stall keeps all loops from working until the result is called, so that what
// is sent meanwhile is taken in one turn.
func stall(e *Engine) (release func()) {
	gate := make(chan struct{})
	for _, s := range e.shards {
		s.post(task{run: func(*shard, *task) { <-gate }})
	}
	return func() { close(gate) }
}

// TestJoinedMessagesAreNotLost has something happen to a connection between two
// messages that would otherwise be joined into one write.
func TestJoinedMessagesAreNotLost(t *testing.T) {
	t.Parallel()
	for _, way := range paths {
		for _, between := range []struct {
			name string
			do   func(e *Engine, p *peer)
			want []string
		}{
			{"nothing", func(*Engine, *peer) {}, []string{"open", "1", "2", "3"}},
			{"a message to it", func(_ *Engine, p *peer) { p.Conn.Send([]byte("own")) }, []string{"open", "1", "2", "own", "3"}},
			{"a subscription", func(_ *Engine, p *peer) { _, _ = p.Subscribe("t", 0) }, []string{"open", "1", "2", "3"}},
			{"a message to its user", func(e *Engine, _ *peer) { e.Send(bus.User, "u", []byte("user")) }, []string{"open", "1", "2", "user", "3"}},
		} {
			t.Run(way.name+", "+between.name, func(t *testing.T) {
				t.Parallel()
				e := newEngine(t, nil)
				p := newPeer()
				register(t, e, way, p, "u")
				release := stall(e)
				for _, text := range []string{"1", "2"} {
					e.Send(bus.Everyone, "", []byte(text))
				}
				between.do(e, p)
				e.Send(bus.Everyone, "", []byte("3"))
				release()
				p.Conn.Close(1000, "")
				if got := p.log(); !slices.Equal(got, between.want) {
					t.Errorf("received %q, want %q", got, between.want)
				}
			})
		}
	}
}
