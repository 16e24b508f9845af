package engine

import (
	"math"
	"slices"
	"sync"
	"time"

	"boundary-app.org/realtime/internal/poll"
)

const (
	// slice is how many members of a large group are written to before the loop
	// looks at anything else; a group of at most that size is done at once.
	slice = 256
	// maxJoined bounds the octets of messages joined into one chunk.
	maxJoined = 128 << 10
)

// fanout is one or more consecutive messages on their way to a list's members.
//
// While it is pending, catchUp gives it to a connection ahead of the others: whenever
// something else is about to happen to that connection, so that a message to one user neither waits behind a long broadcast nor
// overtakes it. Slot.seen says which fanouts a connection has had.
type fanout struct {
	list   *list
	next   *fanout // the list's next
	last   *fanout // the list's last, where this is its first
	seq    uint32
	cursor int // members before it are done
	msgs   []*message
	octets int

	plain    []byte // the frames, joined; made for the first recipient
	deflated []byte
}

// fanouts holds empty ones, to be used again.
var fanouts = sync.Pool{New: func() any { return new(fanout) }}

// queue is the lists with pending fanouts, in the order they came.
type queue []*list

func (q *queue) push(l *list) { *q = append(*q, l) }

func (q *queue) pop() *list {
	old := *q
	l := old[0]
	copy(old, old[1:])
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return l
}

// first returns the seq of the first list's first fanout, which is the oldest in a
// queue from which none was taken and put back.
func (q queue) first() uint32 {
	if len(q) == 0 {
		return math.MaxUint32
	}
	return q[0].pending.seq
}

// oldest returns the seq of the oldest fanout.
func (q queue) oldest() uint32 {
	seq := uint32(math.MaxUint32)
	for _, l := range q {
		seq = min(seq, l.pending.seq)
	}
	return seq
}

// enqueue appends a message to what is pending for a list. A message that
// directly follows another to the same list joins it: both go out in one write.
func (s *shard) enqueue(l *list, m *message) {
	if f := s.run; f != nil && f.list == l && f.plain == nil && f.octets+len(m.frame) <= maxJoined {
		f.msgs = append(f.msgs, m)
		f.octets += len(m.frame)
		return
	}
	s.seq++
	f := fanouts.Get().(*fanout)
	f.list, f.seq, f.octets, f.msgs = l, s.seq, len(m.frame), append(f.msgs, m)
	s.run = f
	if l.pending == nil {
		l.pending, f.last = f, f
		s.schedule(l)
		return
	}
	l.pending.last.next = f
	l.pending.last = f
}

func (s *shard) schedule(l *list) {
	s.waiting++
	if len(l.members) <= slice {
		s.small.push(l)
	} else {
		s.large.push(l)
	}
}

// advance writes all that is pending for small lists and one slice of a large one.
func (s *shard) advance() {
	large := s.large.oldest()
	for i := range s.small {
		for s.small[i].pending != nil {
			s.write(s.small[i], len(s.small[i].members), min(large, s.small[i+1:].first()))
		}
		s.waiting--
	}
	clear(s.small)
	s.small = s.small[:0]
	if len(s.large) == 0 {
		return
	}
	l := s.large.pop()
	s.write(l, slice, s.large.oldest())
	if l.pending == nil {
		s.waiting--
	} else {
		s.large.push(l) // turn by turn: no list waits for another's whole fan-out
	}
}

// write takes the first fanout of a list to at most limit more members. Others is
// the first fanout that is pending for another list: where it is a later one,
// nobody is owed anything before this one.
func (s *shard) write(l *list, limit int, others uint32) {
	f := l.pending
	frames := s.frames(f)
	first := f.seq < others
	end := min(f.cursor+limit, len(l.members))
	for ; f.cursor < end; f.cursor++ {
		sl := &s.slots[l.members[f.cursor]]
		switch {
		case sl.seen >= f.seq:
		case first && sl.fd >= 0:
			sl.seen = f.seq
			s.writeNow(sl, frames, f)
		default:
			s.catchUp(sl.conn)
		}
	}
	if f.cursor >= len(l.members) {
		s.finish(l)
	}
}

// finish drops a list's first fanout, which every member has had.
func (s *shard) finish(l *list) {
	f := l.pending
	if l.pending = f.next; l.pending != nil {
		l.pending.last = f.last
	}
	if s.run == f {
		s.run = nil
	}
	s.unload(f.octets, len(f.msgs))
	for _, m := range f.msgs {
		s.engine.metrics.FanoutSeconds.Observe(time.Since(m.sentAt).Seconds())
	}
	clear(f.msgs)
	*f = fanout{msgs: f.msgs[:0]}
	fanouts.Put(f)
}

// writeNow writes straight from the fan-out: one system call, no copy.
func (s *shard) writeNow(sl *slot, frames []byte, f *fanout) {
	s.tally.deliveries += len(f.msgs)
	n, err := poll.Write(int(sl.fd), frames)
	if n == len(frames) {
		return
	}
	s.blocked(sl.conn, chunk{frames, f.list.group}, n, err)
}

// rewind starts the count of fanouts again, while none is pending, long before
// it could overflow.
func (s *shard) rewind() {
	if s.seq < 1<<31 || s.waiting > 0 {
		return
	}
	for i := range s.slots {
		s.slots[i].seen = 0
	}
	s.seq = 0
}

// catchUp gives a connection the messages of all pending fanouts that it has not had
// yet, in the order they were sent.
func (s *shard) catchUp(c *Conn) {
	sl := &s.slots[c.slot]
	if sl.seen == s.seq || sl.conn != c {
		return
	}
	if s.waiting > 0 {
		s.sendPending(c, sl.seen)
	}
	sl.seen = s.seq
	s.run = nil // a later message was not among those that the connection was given
}

// sendPending gives a connection the pending fanouts of its groups after seen, by
// merging the groups' queues.
func (s *shard) sendPending(c *Conn, seen uint32) {
	heads := s.pending(c, seen)
	for len(heads) > 0 {
		oldest := 0
		for i, f := range heads {
			if f.seq < heads[oldest].seq {
				oldest = i
			}
		}
		f := heads[oldest]
		if heads[oldest] = f.next; f.next == nil {
			heads = slices.Delete(heads, oldest, oldest+1)
		}
		s.pushFanout(c, f)
	}
}

// pending returns the first pending fanout after seen of each of c's groups that
// has one. The slice is good until the next call.
func (s *shard) pending(c *Conn, seen uint32) []*fanout {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.heads = s.heads[:0]
	for _, m := range c.groups {
		if m.pos == notJoined {
			continue
		}
		f := m.list.pending
		for f != nil && f.seq <= seen {
			f = f.next
		}
		if f != nil {
			s.heads = append(s.heads, f)
		}
	}
	return s.heads
}

func (s *shard) pushFanout(c *Conn, f *fanout) {
	if !c.state.takesMessages() || c.flags&flagUnlisted != 0 {
		return
	}
	if f.list.group.slow == LatestOnly && s.lags(c) {
		s.supersede(c, f)
		return
	}
	s.tally.deliveries += len(f.msgs)
	if c.options&optDeflate != 0 {
		s.enqueueChunk(c, chunk{f.compressed(), f.list.group})
		return
	}
	s.enqueueChunk(c, chunk{s.frames(f), f.list.group})
}

// frames returns a fanout's frames as one chunk. It is copied for as many
// messages as were joined, never per recipient.
func (s *shard) frames(f *fanout) []byte {
	if f.plain == nil {
		if len(f.msgs) == 1 {
			f.plain = f.msgs[0].frame
		} else {
			f.plain = make([]byte, 0, f.octets)
			for _, m := range f.msgs {
				f.plain = append(f.plain, m.frame...)
			}
		}
	}
	return f.plain
}

func (f *fanout) compressed() []byte {
	if f.deflated == nil {
		for _, m := range f.msgs {
			f.deflated = append(f.deflated, m.compressed()...)
		}
	}
	return f.deflated
}

// join gives a connection what it is to have before, and adds it to a list.
func (s *shard) join(t *task) {
	c, l := t.conn, t.list
	if c.flags&flagUnlisted != 0 {
		return
	}
	s.catchUp(c) // it must not get what was sent to the list before
	if replay, ok := t.arg.([]*message); ok {
		s.replay(c, l.group, replay)
	}
	if c.joined(l, len(l.members)) {
		l.members = append(l.members, c.slot)
	}
	s.run = nil
}

// replay writes earlier messages of a group to a connection.
func (s *shard) replay(c *Conn, g *group, messages []*message) {
	s.tally.deliveries += len(messages)
	for _, m := range messages {
		s.enqueueChunk(c, chunk{c.frameOf(m), g})
	}
}

// leave takes a connection out of a list.
func (s *shard) leave(t *task) {
	s.catchUp(t.conn)
	if m, ok := t.conn.forget(t.list); ok {
		s.remove(m)
	}
}

// remove closes the gap that a membership leaves with the list's last member.
func (s *shard) remove(m membership) {
	l := m.list
	last := len(l.members) - 1
	moved := s.slots[l.members[last]].conn
	if l.pending != nil {
		s.catchUp(moved) // its new place may be one the fan-out has passed
	}
	if int(m.pos) != last {
		l.members[m.pos] = moved.slot
		moved.moved(l, m.pos)
	}
	l.members = l.members[:last]
	s.run = nil
}

// members returns a list's connections; it waits for the loop.
func (s *shard) members(l *list) []*Conn {
	answer := make(chan []*Conn, 1)
	s.post(task{list: l, arg: answer, run: (*shard).answerMembers})
	select {
	case conns := <-answer:
		return conns
	case <-s.done:
		return nil
	}
}

func (s *shard) answerMembers(t *task) {
	conns := make([]*Conn, 0, len(t.list.members))
	for _, slot := range t.list.members {
		if c := s.slots[slot].conn; c.flags&flagUnlisted == 0 {
			conns = append(conns, c)
		}
	}
	t.arg.(chan []*Conn) <- conns
}
