package engine

import (
	"errors"

	"boundary-app.org/realtime/internal/metrics"
	"boundary-app.org/realtime/internal/poll"
)

// chunkCost is what a chunk in a backlog costs besides its octets.
const chunkCost = 32

const (
	// maxVector is how many chunks one writev takes.
	maxVector = 64
	// scratchSize is up to how many octets copying chunks together costs less
	// than describing them to writev.
	scratchSize = 8 << 10
)

// chunk is one or more whole frames on their way to one connection. The octets
// are shared with other connections and never changed.
type chunk struct {
	data []byte
	of   *group // that it was sent to, where it was sent to a group
}

// handshake marks the chunk that is no frames, but the answer to the handshake.
var handshake = new(group)

func (c chunk) cost() int { return len(c.data) + chunkCost }

// backlog is what waits for one connection's socket. It exists only while
// something waits.
type backlog struct {
	chunks []chunk // to be written; the first, which has data, from off on
	off    int
	left   int     // chunks that have left the front
	dead   int     // chunks whose data was superseded
	held   []chunk // to be written after Open
	since  tick    // when it began

	// Of a connection that lags: where the one waiting message of a latest-only
	// topic is, counted with the chunks that have left. nil: not known yet.
	latest map[*group]int

	size   int // octets, and chunkCost for each chunk
	flying int // the part of size that a writer off the loop has
}

// pop drops the first chunk, and returns what it still costs without its data.
func (b *backlog) pop() (cost int) {
	if b.chunks[0].data == nil {
		b.dead--
	} else {
		cost = chunkCost
	}
	b.chunks[0] = chunk{}
	b.chunks = b.chunks[1:]
	b.left++
	b.off = 0
	return cost
}

func (b *backlog) empty() bool { return len(b.chunks) == 0 && len(b.held) == 0 && b.flying == 0 }

// push puts a chunk behind what waits for a connection and has it flushed at
// the end of the turn.
func (s *shard) push(c *Conn, ch chunk) {
	if !c.state.takesMessages() {
		return
	}
	s.add(c, ch)
	s.bound(c)
}

// bound ends a connection whose backlog has grown over the limit.
func (s *shard) bound(c *Conn) {
	if s.excess(c) <= 0 {
		return
	}
	if c.flags&flagArmed == 0 && c.state.writes() {
		s.flush(c) // it may only be a long turn, not a slow reader
	}
	if c.state == gone || c.out == nil || s.excess(c) <= 0 {
		return
	}
	if c.offLoop != nil && c.offLoop.keepsUp(c.out.size, s.engine.cfg.MaxBacklog, s.tick()) {
		return
	}
	if !s.shed(c) {
		s.tooSlow(c)
	}
}

// add puts a chunk into the backlog, whatever its size.
func (s *shard) add(c *Conn, ch chunk) {
	if c.out == nil {
		c.out = &backlog{since: s.tick()}
		s.slots[c.slot].fd = -1
	}
	b := c.out
	if c.state.holdsBack() {
		b.held = append(b.held, ch)
	} else {
		b.chunks = append(b.chunks, ch)
	}
	s.resize(c, ch.cost())
	s.markDirty(c)
}

// resize keeps the sizes of the backlog and of all backlogs.
func (s *shard) resize(c *Conn, by int) {
	c.out.size += by
	s.tally.backlog += by
}

func (s *shard) markDirty(c *Conn) {
	if c.flags&flagDirty == 0 {
		c.flags |= flagDirty
		s.dirty = append(s.dirty, c)
	}
}

func (s *shard) flushDirty() {
	for i := 0; i < len(s.dirty); i++ {
		c := s.dirty[i]
		c.flags &^= flagDirty
		if c.flags&flagArmed == 0 {
			s.flush(c)
		}
	}
	clear(s.dirty)
	s.dirty = s.dirty[:0]
}

// blocked takes a chunk of which a direct write wrote only the first n octets.
func (s *shard) blocked(c *Conn, ch chunk, n int, err error) {
	if err != nil && !errors.Is(err, poll.ErrAgain) {
		s.writeFailed(c)
		return
	}
	s.add(c, ch)
	c.out.off = n
	s.resize(c, -n)
	s.arm(c, true)
	if c.state != gone {
		s.bound(c)
	}
}

// flush writes what waits for a connection, as far as its socket takes it.
func (s *shard) flush(c *Conn) {
	if c.state == gone || c.out == nil {
		return
	}
	if c.offLoop != nil {
		s.flushOffLoop(c)
		return
	}
	for len(c.out.chunks) > 0 {
		n, err := s.writeChunks(c)
		s.written(c, n)
		switch {
		case errors.Is(err, poll.ErrAgain):
			s.arm(c, true)
			return
		case err != nil:
			s.writeFailed(c)
			return
		}
	}
	s.drained(c)
}

func (s *shard) writeChunks(c *Conn) (int, error) {
	b := c.out
	first := b.chunks[0].data[b.off:]
	if len(b.chunks) == 1 {
		return poll.Write(int(c.fd), first)
	}
	if b.size <= cap(s.scratch) {
		joined := append(s.scratch[:0], first...)
		for _, ch := range b.chunks[1:] {
			joined = append(joined, ch.data...)
		}
		return poll.Write(int(c.fd), joined)
	}
	vector := make([][]byte, 0, maxVector)
	vector = append(vector, first)
	for _, ch := range b.chunks[1:min(len(b.chunks), maxVector)] {
		if ch.data != nil {
			vector = append(vector, ch.data)
		}
	}
	return poll.Writev(int(c.fd), vector)
}

// written drops n octets from the front of a backlog.
func (s *shard) written(c *Conn, n int) {
	b := c.out
	s.resize(c, -n)
	for len(b.chunks) > 0 && b.off+n >= len(b.chunks[0].data) {
		n -= len(b.chunks[0].data) - b.off
		s.resize(c, -b.pop())
	}
	b.off += n
}

// drained makes a connection without a backlog simply writable again.
func (s *shard) drained(c *Conn) {
	if s.arm(c, false); c.state == gone {
		return
	}
	if c.out.empty() {
		c.out = nil
	}
	if c.state == flushing {
		s.transition(c, onFlushed, cause{})
		return
	}
	if c.state.writes() && c.out == nil && c.fd >= 0 && c.options&optDeflate == 0 {
		s.slots[c.slot].fd = c.fd
	}
}

// arm asks the poller to tell when the socket becomes writable, or not to.
func (s *shard) arm(c *Conn, on bool) {
	if (c.flags&flagArmed != 0) == on {
		return
	}
	c.flags ^= flagArmed
	s.rewatch(c)
}

// rewatch tells the poller what a connection waits for now.
func (s *shard) rewatch(c *Conn) {
	if c.fd < 0 {
		return
	}
	if c.state == broken {
		s.watchBroken(c)
		return
	}
	token := poll.Token{Slot: c.slot, Generation: c.generation}
	if err := s.poller.Modify(int(c.fd), token, c.flags&flagPaused == 0, c.flags&flagArmed != 0); err != nil {
		s.disconnected(c)
	}
}

// sendOne writes a message to one connection.
func (s *shard) sendOne(t *task) {
	c, m := t.conn, t.msg
	s.unload(len(m.frame), 1)
	if !c.state.takesMessages() {
		s.engine.metrics.Drops.WithLabelValues(metrics.DropClosed).Inc()
		return
	}
	s.settle(c)
	s.tally.deliveries++
	s.push(c, chunk{data: c.frameOf(m)})
}
