package engine

import (
	"errors"
	"fmt"
	"slices"
)

// ConsistencyCheck compares what the engine keeps in more than one place, and returns
// an error that names each contradiction, which is a bug of the engine. Each loop
// pauses while its connections are checked. The index can be checked only while no
// connection joins or leaves a group: after 100 disturbed attempts it is left out. A
// loop must not call ConsistencyCheck.
func (e *Engine) ConsistencyCheck() error {
	var problems []error
	for _, s := range e.shards {
		answer := make(chan []error, 1)
		s.post(task{arg: answer, run: (*shard).inspect})
		select {
		case found := <-answer:
			problems = append(problems, found...)
		case <-s.done:
		}
	}
	return errors.Join(append(problems, e.inspectIndex()...)...)
}

// attempts bounds how often the check of the index is repeated.
const attempts = 100

func (e *Engine) inspectIndex() (problems []error) {
	for range attempts {
		before := e.index.version()
		problems = e.compareIndex()
		if e.index.version() == before {
			return problems
		}
	}
	return nil
}

// version changes with every join and leave.
func (x *index) version() (sum uint64) {
	for i := range x.groups {
		s := &x.groups[i]
		s.mu.Lock()
		sum += s.changes
		s.mu.Unlock()
	}
	return sum
}

// compareIndex compares the groups with the memberships of the connections.
func (e *Engine) compareIndex() (problems []error) {
	counted, topics := e.countMemberships()
	if n := e.subscriptions.Load(); n != topics {
		problems = append(problems, fmt.Errorf("%d subscriptions are counted, there are %d", n, topics))
	}
	for i := range e.index.groups {
		s := &e.index.groups[i]
		s.mu.Lock()
		s.groups.all(func(g *group) bool {
			problems = append(problems, e.index.inspectGroup(s, g, counted)...)
			return true
		})
		s.mu.Unlock()
	}
	for l := range counted {
		problems = append(problems, fmt.Errorf("a connection belongs to %s, which is not in the index", l.group))
	}
	return problems
}

func (e *Engine) countMemberships() (counted map[*list]int32, topics int64) {
	counted = map[*list]int32{}
	for c := range e.All {
		c.mu.Lock()
		if !c.ended {
			topics += int64(c.topicCount())
			for _, m := range c.groups {
				if !m.left {
					counted[m.list]++
				}
			}
		}
		c.mu.Unlock()
	}
	return counted, topics
}

// inspectGroup checks one group, and removes its lists from counted. Called
// under the stripe's lock.
func (x *index) inspectGroup(s *groupStripe, g *group, counted map[*list]int32) (problems []error) {
	k := key{g.route, g.name}
	if s.find(x.sum(k), k) != g {
		problems = append(problems, fmt.Errorf("%s is not found by its name", g))
	}
	if g.lists == nil && !g.kept {
		problems = append(problems, fmt.Errorf("%s has no members but was kept", g))
	}
	for l := g.lists; l != nil; l = l.next {
		if l.n != counted[l] || l.n == 0 && l.reserved == 0 || l.reserved < 0 {
			problems = append(problems, fmt.Errorf("%s counts %d members and %d reserved places, there are %d members", g, l.n, l.reserved, counted[l]))
		}
		delete(counted, l)
	}
	return problems
}

func (g *group) String() string { return fmt.Sprintf("group %s %q", g.route, g.name) }

// inspect checks what a loop owns, between two tasks.
func (s *shard) inspect(t *task) {
	v := &inspection{shard: s, joined: map[*list]int{}, wakes: map[entry]bool{}}
	v.wheel()
	v.freeSlots()
	for i := range s.slots {
		if c := s.slots[i].conn; c != nil {
			v.connection(int32(i), c)
		}
	}
	v.lists()
	v.expect(v.ends == len(s.ends), "%d ends are kept, of which connections know %d", len(s.ends), v.ends)
	v.expect(s.invalid == nil, "there was %v", s.invalid)
	v.expect(v.rests == len(s.rests), "%d rests are kept, of which connections know %d", len(s.rests), v.rests)
	t.arg.(chan []error) <- v.problems
}

// inspection is one check of a shard.
type inspection struct {
	shard    *shard
	joined   map[*list]int // how many connections say that they are in a list
	wakes    map[entry]bool
	rests    int // how many connections say that they have one
	ends     int // how many connections are in a state that has one
	problems []error
}

func (v *inspection) expect(ok bool, format string, args ...any) {
	if !ok {
		v.problems = append(v.problems, fmt.Errorf(format, args...))
	}
}

func (v *inspection) wheel() {
	for i := range v.shard.wheel.buckets { // a range over the values would copy them
		for _, e := range v.shard.wheel.buckets[i] {
			v.wakes[entry{e.slot, e.generation, e.at}] = true
		}
	}
}

func (v *inspection) freeSlots() {
	free := map[int32]bool{}
	for _, i := range v.shard.free {
		v.expect(!free[i] && v.shard.slots[i].conn == nil, "slot %d is free and in use", i)
		free[i] = true
	}
	for i, sl := range v.shard.slots {
		v.expect(sl.conn != nil || free[int32(i)], "slot %d is neither free nor in use", i)
	}
}

func (v *inspection) connection(slot int32, c *Conn) {
	s := v.shard
	sl := s.slots[slot]
	v.expect(c.slot == slot && c.shard == s, "slot %d holds a connection of slot %d", slot, c.slot)
	v.expect(sl.seen <= s.seq, "slot %d has seen fanout %d of %d", slot, sl.seen, s.seq)
	v.expect(sl.fd < 0 || sl.fd == c.fd && c.state.writes() && c.out == nil && c.options&optDeflate == 0,
		"slot %d is written to although it is not simply writable", slot)
	v.expect(c.state != dead || c.flags&flagUnlisted == 0 || slices.Contains(s.dead, c), "slot %d was not freed", slot)
	if _, due := s.nextDue(c); due && c.state != dead {
		v.expect(v.wakes[entry{slot, c.generation, c.wake}], "the timer of slot %d is lost", slot)
	}
	v.closing(slot, c)
	if c.out != nil {
		err := c.out.check()
		v.expect(err == nil, "the backlog of slot %d: %v", slot, err)
	}
	v.memberships(slot, c)
	v.calls(slot, c)
}

// closing checks what must hold in the state of a connection.
func (v *inspection) closing(slot int32, c *Conn) {
	if c.state.awaitsHandler() {
		v.ends++
		_, kept := v.shard.ends[c]
		v.expect(kept && c.flags&flagPaused != 0, "slot %d is in state %s, and read or without an end", slot, c.state)
	}
	v.expect(c.state != broken || c.out == nil, "slot %d is broken, and something waits for it", slot)
	v.expect(c.state != flushing || c.out != nil, "slot %d is flushing, and nothing waits for it", slot)
	v.expect(c.state != lingering || c.out == nil, "slot %d lingers, and something waits for it", slot)
	v.expect(c.state.takesMessages() || c.state == broken || c.Ended(), "slot %d is in state %s and still registered", slot, c.state)
}

// calls checks the queue of handler calls, and the bytes that wait behind it.
func (v *inspection) calls(slot int32, c *Conn) {
	if c.flags&flagRest != 0 {
		v.rests++
		n := len(v.shard.rests[c])
		v.expect(n > 0 && n <= max(readBuffer, readSize) && c.flags&flagPaused != 0 && c.state.receives(),
			"slot %d has a rest of %d bytes in state %d with flags %b", slot, n, c.state, c.flags)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		return
	}
	size := 0
	for _, m := range c.calls.queue {
		size += len(m.data)
	}
	v.expect(c.calls.size == size, "the call queue of slot %d counts %d bytes and has %d", slot, c.calls.size, size)
}

func (v *inspection) memberships(slot int32, c *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.groups {
		if m.pos == notJoined {
			continue
		}
		v.joined[m.list]++
		in := m.list.members
		v.expect(m.list.shard == v.shard && int(m.pos) < len(in) && in[m.pos] == slot,
			"slot %d is not where it believes to be in %s", slot, m.list.group)
	}
}

func (v *inspection) lists() {
	for l, n := range v.joined {
		v.expect(len(l.members) == n, "%s has %d members in a loop, of which %d know", l.group, len(l.members), n)
	}
}
