package engine

import (
	"strings"
	"sync"
	"testing"

	"boundary-app.org/realtime/bus"
)

// Each thing that the engine keeps twice, made to differ, is found.
func TestConsistencyCheckFinds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		corrupt func(e *Engine, c *Conn) // on the loop
		want    string
	}{
		{"nothing", func(*Engine, *Conn) {}, ""},
		{"lost member", func(_ *Engine, c *Conn) { l := c.groups[0].list; l.members = l.members[:0] }, "not where it believes"},
		{"ghost member", func(_ *Engine, c *Conn) { l := c.groups[0].list; l.members = append(l.members, 0) }, "has 3 members in a loop, of which 2 know"},
		{"swapped members", func(_ *Engine, c *Conn) { m := c.groups[0].list.members; m[0], m[1] = m[1], m[0] }, "not where it believes"},
		{"count of a group", func(_ *Engine, c *Conn) { c.groups[0].list.n++ }, `group everyone "" counts 3 members`},
		{"reserved place", func(_ *Engine, c *Conn) { c.groups[0].list.reserved-- }, "-1 reserved"},
		{"count of subscriptions", func(e *Engine, _ *Conn) { e.subscriptions.Add(1) }, "2 subscriptions are counted, there are 1"},
		{"group out of the index", func(e *Engine, c *Conn) {
			g := c.groups[1].list.group
			e.index.stripe(g.sum).groups.remove(g)
		}, "which is not in the index"},
		{"group under a wrong name", func(_ *Engine, c *Conn) { c.groups[1].list.group.name = "other" }, "is not found by its name"},
		{"timer", func(_ *Engine, c *Conn) { c.wake += 7 }, "the timer of slot"},
		{"slot", func(_ *Engine, c *Conn) { c.slot += 5 }, "holds a connection of slot"},
		{"free slot in use", func(_ *Engine, c *Conn) { c.shard.free = append(c.shard.free, c.slot) }, "is free and in use"},
		{"slot lost", func(_ *Engine, c *Conn) { c.shard.slots = append(c.shard.slots, slot{fd: -1}) }, "neither free nor in use"},
		{"seen", func(_ *Engine, c *Conn) { c.shard.slots[c.slot].seen += 9 }, "has seen fanout"},
		{"backlog", func(_ *Engine, c *Conn) { c.out = &backlog{size: 5} }, "counts 5 bytes and has 0"},
		{"rest of no connection", func(_ *Engine, c *Conn) { c.shard.rests[c] = []byte("x") }, "1 rests are kept, of which connections know 0"},
		{"rest without bytes", func(_ *Engine, c *Conn) { c.flags |= flagRest | flagPaused }, "has a rest of 0 bytes"},
		{"rest that is read past", func(_ *Engine, c *Conn) { c.flags |= flagRest; c.shard.rests[c] = []byte("x") }, "has a rest of 1 bytes"},
		{"call queue", func(_ *Engine, c *Conn) { c.calls = &callQueue{size: 3} }, "counts 3 bytes and has 0"},
		{"written past the end", func(_ *Engine, c *Conn) { c.out = &backlog{off: 1, size: -1} }, "written past its end"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, func(c *Config) { c.Shards, c.PingInterval, c.PongTimeout = 1, 1e12, 1e12 })
			first, p := newPeer(), newPeer()
			register(t, e, paths[0], first, "u1")
			register(t, e, paths[0], p, "u2")
			if _, err := p.Subscribe("t", 0); err != nil {
				t.Fatal(err)
			}
			e.Members(bus.Everyone, "")
			undo := corrupt(e, &p.Conn, test.corrupt)
			err := e.ConsistencyCheck()
			undo()
			if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("found %v, want %q", err, test.want)
			}
		})
	}
}

// corrupt runs a change on the loop; undo puts back what it can have changed, so
// that the engine can end.
func corrupt(e *Engine, c *Conn, change func(*Engine, *Conn)) (undo func()) {
	var conn struct {
		slot  int32
		wake  tick
		out   *backlog
		flags uint16
		calls *callQueue
	}
	var lists []list
	var names []string
	var slots []slot
	do(c.shard, func() {
		conn.slot, conn.wake, conn.out, conn.flags, conn.calls = c.slot, c.wake, c.out, c.flags, c.calls
		slots = append(slots, c.shard.slots...)
		for _, m := range c.groups {
			kept := *m.list
			kept.members = append([]int32(nil), kept.members...)
			lists, names = append(lists, kept), append(names, m.list.group.name)
		}
		change(e, c)
	})
	return func() {
		do(c.shard, func() {
			c.slot, c.wake, c.out, c.flags, c.calls = conn.slot, conn.wake, conn.out, conn.flags, conn.calls
			delete(c.shard.rests, c)
			c.shard.slots, c.shard.free = slots, nil
			for i, m := range c.groups {
				*m.list, m.list.group.name = lists[i], names[i]
			}
		})
	}
}

// do runs something on a loop.
func do(s *shard, what func()) {
	done := make(chan struct{})
	s.post(task{run: func(*shard, *task) { what(); close(done) }})
	<-done
}

// The check finds nothing while connections come, go, subscribe and are sent to.
func TestConsistencyCheckUnderTraffic(t *testing.T) {
	t.Parallel()
	e := newEngine(t, nil)
	var clients, checker sync.WaitGroup
	done := make(chan struct{})
	checker.Go(func() {
		for {
			if err := e.ConsistencyCheck(); err != nil {
				t.Errorf("the engine contradicts itself:\n%v", err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for range 4 {
		clients.Go(func() {
			for i := range 100 {
				p := newPeer()
				register(t, e, paths[i%len(paths)], p, "u")
				for _, topic := range []string{"a", "b", "c"} {
					_, _ = p.Subscribe(topic, 0)
					e.Send(bus.Topic, topic, []byte("x"))
				}
				p.Unsubscribe("b")
				p.Conn.Close(1000, "")
				p.log()
			}
		})
	}
	clients.Wait()
	close(done)
	checker.Wait()
	consistent(t, e)
}
