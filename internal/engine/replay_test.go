package engine

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/socket"
)

// history is the messages that were sent to a group, the way a test keeps them.
type history struct {
	index    *index
	key      key
	messages []*message // guarded by the group's stripe; number n is at n-1
}

// send sends the next message, which says its number.
func (h *history) send() {
	s, sum := h.index.at(h.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	m := newMessage(socket.OpText, strconv.AppendInt(nil, int64(len(h.messages)+1), 10), nil, time.Now())
	h.messages = append(h.messages, m)
	s.find(sum, h.key).post(m)
}

// join adds a connection to the group behind the messages up to number since; without
// since, behind all. It returns since.
func (h *history) join(c *Conn, since int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enter(h.key, 0, func() []*message {
		if since < 0 {
			since = len(h.messages)
		}
		return slices.Clone(h.messages[since:])
	})
	return since
}

// Clients come back again and again to a group that is sent to at full rate, which at
// times has no members. Each receives every message since its first, once.
func TestReplayLeavesNoGap(t *testing.T) {
	t.Parallel()
	for i, way := range paths {
		k := []key{{bus.Topic, "t"}, {bus.Role, "r"}}[i%2]
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, func(c *Config) { c.MaxBacklog, c.MaxInbox = 64<<20, 32<<10 })
			h := &history{index: e.index, key: k}
			e.index.keep(k, true)
			stop := publishAtFullRate(t, e, h)
			defer stop()
			var clients sync.WaitGroup
			for range 2 {
				clients.Go(func() { comeBack(t, e, h, way) })
			}
			clients.Wait()
		})
	}
}

func publishAtFullRate(t *testing.T, e *Engine, h *history) (stop func()) {
	done := make(chan struct{})
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if err := e.Admit(t.Context()); err != nil {
				t.Error(err)
				return
			}
			h.send()
		}
	})
	return func() {
		close(done)
		publisher.Wait()
	}
}

// comeBack connects, resumes and disconnects some times, until it has received
// something, and checks what that was.
func comeBack(t *testing.T, e *Engine, h *history, way path) {
	last, received := -1, 0
	for n := 0; n < 8 || received == 0; n++ { // the publisher may not have run yet
		p := newPeer()
		spec := way.connect(t, p)
		spec.User, spec.Handler = "u", p
		if err := e.Register(&p.Conn, spec); err != nil {
			t.Error(err)
			return
		}
		if n%2 == 0 {
			p.Open(nil)
		}
		last = h.join(&p.Conn, last)
		if n%2 == 1 {
			p.Open(nil)
		}
		e.Members(h.key.route, h.key.name) // by then it has joined and hears what is sent
		p.Conn.Close(1000, "")
		for _, text := range p.log() {
			if last++; text != strconv.Itoa(last) {
				t.Errorf("received message %s, want %d", text, last)
				return
			}
			received++
		}
	}
}

// A group that is kept stays without members, and is of interest, until it is not kept.
func TestKeptGroup(t *testing.T) {
	t.Parallel()
	model := newInterestModel(t)
	e := newEngine(t, func(c *Config) { c.Interest = model })
	k := key{bus.Topic, "t"}
	wanted := func(want bool) {
		t.Helper()
		if model.present[k] != want {
			t.Errorf("interest %t, want %t", !want, want)
		}
		consistent(t, e)
	}
	p := newPeer()
	register(t, e, paths[len(paths)-1], p, "u")
	for _, keepFirst := range []bool{true, false} {
		if keepFirst {
			e.index.keep(k, true)
			wanted(true)
		}
		if _, err := p.Subscribe("t", 0); err != nil {
			t.Fatal(err)
		}
		e.index.keep(k, true)
		p.Unsubscribe("t")
		wanted(true)
		e.Groups(bus.Topic, func(name string, _ int) { t.Errorf("%s counts as a topic without members", name) })
		if n := e.Send(bus.Topic, "t", []byte("x")); n != 0 {
			t.Errorf("%d recipients without members", n)
		}
		e.index.keep(k, false)
		wanted(false)
	}
	if s, sum := e.index.at(k); s.find(sum, k) != nil {
		t.Error("the group is still there")
	}
}
