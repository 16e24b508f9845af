package faults_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/faultproxy"
	"boundary-app.org/realtime/internal/faults"
	"boundary-app.org/realtime/wire"
)

// A slow link changes neither the order nor the content, in either direction.
func TestSlowLink(t *testing.T) {
	everyFront(t, func(t *testing.T, via front) {
		const messages = 300
		heard := make(chan string, messages)
		n := startBehind(t, via, realtime.Options{}, realtime.HandlerOptions{OnMessage: hear(heard)})
		slow := faultproxy.Faults{Delay: time.Millisecond, Piece: 700}
		f := n.follow(n.dial("u1", faultproxy.Plan{Up: slow, Down: slow}), "u1")
		var last faults.Stamp
		for i := range messages {
			n.publish(realtime.User("u1"), "p", 10*i)
			last = n.publish(realtime.Everyone(), "p", 100)
			if err := f.say(fmt.Sprint("message ", i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.until(last); err != nil {
			t.Fatal(err)
		}
		f.log.End("the end of the test", n.ledger.Marks("everyone", "user u1"))
		wantsNothingWrong(t, f.log)
		for i := range messages {
			if got, want := eventually(t, heard, "a message"), fmt.Sprint("message ", i); got != want {
				t.Fatalf("the application heard %q, want %q", got, want)
			}
		}
	})
}

// A reader that stalls for no longer than its backlog lasts loses nothing.
func TestShortStall(t *testing.T) {
	everyFront(t, func(t *testing.T, via front) {
		n := startBehind(t, via, realtime.Options{}, realtime.HandlerOptions{})
		f := n.follow(n.dial("u1", faultproxy.Plan{}), "u1")
		for range 5 {
			f.link.Do(faultproxy.Stall, faultproxy.Down)
			var last faults.Stamp
			for range 100 {
				last = n.publish(realtime.Everyone(), "p", 5000)
			}
			f.link.Do(faultproxy.Forward, faultproxy.Down)
			if err := f.until(last); err != nil {
				t.Fatal(err)
			}
		}
		f.log.End("the end of the test", n.ledger.Marks("everyone"))
		wantsNothingWrong(t, f.log)
	})
}

// Readers that stall for good are cut with 4008; meanwhile the memory stays
// bounded, and their neighbours hear everything as soon as without them. Not
// parallel: it measures.
func TestStalledReaders(t *testing.T) {
	const (
		stalled     = 5
		heapAllowed = 32 << 20 // over what was there before
	)
	n := start(t, realtime.Options{}, realtime.HandlerOptions{})
	c := n.circle(10)
	c.rounds(50, func() {}) // warm
	alone := c.rounds(200, func() {})

	before := heapInUse()
	for i := range stalled {
		s := n.dialRole(fmt.Sprint("stalled-", i), "stalled")
		s.link.Do(faultproxy.Stall, faultproxy.Down)
	}
	flood := func() { n.flood(realtime.Role("stalled"), 60<<10) }
	var beside []time.Duration
	most := before
	for ends := 0; ends < stalled; {
		beside = append(beside, c.rounds(20, flood)...)
		most = max(most, heapInUse())
		for len(n.closes) > 0 {
			ends++
			if end := <-n.closes; end.code != wire.CloseTooSlow {
				t.Errorf("%s was closed with %d, want 4008", end.user, end.code)
			}
		}
		if len(beside) > 20_000 {
			t.Fatalf("%d of %d stalled readers were cut", ends, stalled)
		}
	}
	c.finish()
	if most > before+heapAllowed {
		t.Errorf("the heap grew from %d to %d MiB", before>>20, most>>20)
	}
	quiet, loaded := p99(alone), p99(beside)
	t.Logf("p99 %v alone, %v beside stalled readers (%d deliveries); heap %d MiB, %d at most", quiet, loaded, len(beside), before>>20, most>>20)
	if loaded > 5*quiet+50*time.Millisecond {
		t.Errorf("p99 of the neighbours rose from %v to %v", quiet, loaded)
	}
}

// dialRole is dial for a user with a role.
func (n *node) dialRole(user, role string) *client {
	n.t.Helper()
	conn, link, err := n.proxy.Dial(n.t.Context(), faultproxy.Plan{})
	if err != nil {
		n.t.Fatal(err)
	}
	return n.admitted(realtime.Identity{UserID: user, Roles: []string{role}}, conn, link)
}

// flood sends what nobody is to read.
func (n *node) flood(to realtime.Address, size int) {
	message := realtime.Message{Type: "flood", Payload: strings.Repeat("x", size)}
	if _, err := n.Send(context.Background(), to, message); err != nil {
		n.t.Errorf("send to %v: %v", to, err)
	}
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func p99(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)*99/100]
}

// circle is clients that are all waited for after each message.
type circle struct {
	n       *node
	members []*follower
}

func (n *node) circle(size int) *circle {
	c := &circle{n: n}
	for i := range size {
		user := fmt.Sprint("neighbour-", i)
		c.members = append(c.members, n.follow(n.dialDirect(user), user))
	}
	return c
}

// rounds broadcasts one message after the other and returns how long each took
// to each member. Before each it does something else.
func (c *circle) rounds(count int, before func()) []time.Duration {
	took := make([]time.Duration, 0, count*len(c.members))
	var mu sync.Mutex
	for range count {
		before()
		begun := time.Now()
		last := c.n.publish(realtime.Everyone(), "p", 1000)
		var all sync.WaitGroup
		for _, m := range c.members {
			all.Go(func() {
				if err := m.until(last); err != nil {
					c.n.t.Errorf("a neighbour: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(begun))
			})
		}
		all.Wait()
	}
	return took
}

func (c *circle) finish() {
	for _, m := range c.members {
		m.log.End("the end of the test", c.n.ledger.Marks("everyone"))
		wantsNothingWrong(c.n.t, m.log)
	}
}
