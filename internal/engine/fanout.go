package engine

import (
	"slices"
	"sync"
	"time"

	"boundary-app.org/realtime/internal/poll"
)

const (
	// slice is how many members of a large group are written to before the loop
	// looks at anything else; a group of at most that size is done at once.
	slice = 256
	// maxJoined bounds the bytes of messages joined into one chunk.
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
	bytes  int

	plain    []byte // the frames, joined; made for the first recipient
	deflated []byte
}

// fanouts holds empty ones, to be used again.
var fanouts = sync.Pool{New: func() any { return new(fanout) }}

// enqueue appends a message to what is pending for a list. A message that
// directly follows another to the same list joins it: both go out in one write.
func (s *shard) enqueue(l *list, m *message) {
	if f := s.run; f != nil && f.list == l && f.plain == nil && f.bytes+len(m.frame) <= maxJoined {
		f.msgs = append(f.msgs, m)
		f.bytes += len(m.frame)
		return
	}
	s.seq++
	f := fanouts.Get().(*fanout)
	f.list, f.seq, f.bytes, f.msgs = l, s.seq, len(m.frame), append(f.msgs, m)
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
	s.unload(f.bytes, len(f.msgs))
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
			f.plain = make([]byte, 0, f.bytes)
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
