package engine

import (
	"errors"

	"boundary-app.org/realtime/internal/metrics"
	"boundary-app.org/realtime/internal/poll"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
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

// backlog is what waits for one connection's socket. Chunks are shared with
// other connections and never changed. It exists only while something waits.
type backlog struct {
	chunks [][]byte // to be written; the first from off on
	off    int
	held   [][]byte // to be written after Open
	size   int      // octets, and chunkCost for each chunk
	flying int      // the part of size that a writer off the loop has
}

func (b *backlog) empty() bool { return len(b.chunks) == 0 && len(b.held) == 0 && b.flying == 0 }

// push puts a chunk behind what waits for a connection and has it flushed at
// the end of the turn. The chunk is one or more whole frames.
func (s *shard) push(c *Conn, chunk []byte) {
	if c.state > open {
		return
	}
	s.add(c, chunk)
	s.bound(c)
}

// bound ends a connection whose backlog has grown over the limit.
func (s *shard) bound(c *Conn) {
	limit := s.engine.cfg.MaxBacklog
	if c.out.size-c.out.flying <= limit {
		return
	}
	if c.flags&flagArmed == 0 && c.state == open {
		s.flush(c) // it may only be a long turn, not a slow reader
	}
	if c.state == gone || c.out == nil || c.out.size-c.out.flying <= limit {
		return
	}
	if c.offLoop != nil && c.offLoop.keepsUp(c.out.size, limit, s.tick()) {
		return
	}
	s.tooSlow(c)
}

// add puts a chunk into the backlog, whatever its size.
func (s *shard) add(c *Conn, chunk []byte) {
	if c.out == nil {
		c.out = &backlog{}
		s.slots[c.slot].fd = -1
	}
	b := c.out
	if c.state == opening {
		b.held = append(b.held, chunk)
	} else {
		b.chunks = append(b.chunks, chunk)
	}
	s.resize(c, len(chunk)+chunkCost)
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
func (s *shard) blocked(c *Conn, chunk []byte, n int, err error) {
	if err != nil && !errors.Is(err, poll.ErrAgain) {
		s.doom(c)
		return
	}
	s.add(c, chunk)
	c.out.off = n
	s.resize(c, -n)
	s.arm(c, true)
	if c.out.size > s.engine.cfg.MaxBacklog {
		s.tooSlow(c)
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
			s.doom(c)
			return
		}
	}
	s.drained(c)
}

func (s *shard) writeChunks(c *Conn) (int, error) {
	b := c.out
	first := b.chunks[0][b.off:]
	if len(b.chunks) == 1 {
		return poll.Write(int(c.fd), first)
	}
	if b.size <= cap(s.scratch) {
		joined := append(s.scratch[:0], first...)
		for _, chunk := range b.chunks[1:] {
			joined = append(joined, chunk...)
		}
		return poll.Write(int(c.fd), joined)
	}
	vector := make([][]byte, 0, maxVector)
	vector = append(vector, first)
	vector = append(vector, b.chunks[1:min(len(b.chunks), maxVector)]...)
	return poll.Writev(int(c.fd), vector)
}

// written drops n octets from the front of a backlog.
func (s *shard) written(c *Conn, n int) {
	b := c.out
	s.resize(c, -n)
	for len(b.chunks) > 0 && b.off+n >= len(b.chunks[0]) {
		n -= len(b.chunks[0]) - b.off
		b.chunks[0] = nil
		b.chunks = b.chunks[1:]
		b.off = 0
		s.resize(c, -chunkCost)
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
	if c.flags&flagShutOnFlush != 0 {
		s.shut(c)
		return
	}
	if c.state == open && c.out == nil && c.fd >= 0 && c.options&optDeflate == 0 {
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
	token := poll.Token{Slot: c.slot, Generation: c.generation}
	if err := s.poller.Modify(int(c.fd), token, c.flags&flagPaused == 0, c.flags&flagArmed != 0); err != nil {
		s.doom(c)
	}
}

// tooSlow ends a connection whose backlog is full: it gets the rest of the
// frame that is half written, and a close frame in place of what waited.
func (s *shard) tooSlow(c *Conn) {
	dropped := s.cutBacklog(c)
	s.engine.metrics.Drops.WithLabelValues(metrics.DropTooSlow).Add(float64(dropped))
	s.closeNow(c, uint16(wire.CloseTooSlow), "too slow: the backlog is full")
}

// cutBacklog drops all frames that have not begun to be written, and returns
// their number.
func (s *shard) cutBacklog(c *Conn) (dropped int) {
	b := c.out
	if b == nil {
		return 0
	}
	var keep [][]byte
	if c.state == opening {
		keep, b.chunks = b.chunks, nil // the handshake's answer, no messages
	} else if len(b.chunks) > 0 && b.off > 0 {
		boundary := frameEnd(b.chunks[0], b.off)
		dropped += countFrames(b.chunks[0][boundary:])
		if boundary > b.off {
			keep = [][]byte{b.chunks[0][:boundary:boundary]}
		}
		b.chunks = b.chunks[1:]
	}
	for _, chunk := range append(b.chunks, b.held...) {
		dropped += countFrames(chunk)
	}
	b.chunks, b.held = keep, nil
	if len(keep) == 0 {
		b.off = 0
	}
	size := b.flying - b.off
	for _, chunk := range keep {
		size += len(chunk) + chunkCost
	}
	s.resize(c, size-b.size)
	return dropped
}

// frameEnd returns where the frame that holds the octet before at ends.
func frameEnd(chunk []byte, at int) (end int) {
	for end < at {
		header, payload, ok := socket.FrameLen(chunk[end:])
		if !ok {
			return len(chunk)
		}
		end += header + payload
	}
	return min(end, len(chunk))
}

func countFrames(chunk []byte) (n int) {
	for len(chunk) > 0 {
		header, payload, ok := socket.FrameLen(chunk)
		if !ok || header+payload > len(chunk) {
			return n
		}
		chunk = chunk[header+payload:]
		n++
	}
	return n
}

// sendOne writes a message to one connection.
func (s *shard) sendOne(t *task) {
	c, m := t.conn, t.msg
	s.unload(len(m.frame), 1)
	if c.state > open {
		s.engine.metrics.Drops.WithLabelValues(metrics.DropClosed).Inc()
		return
	}
	s.settle(c)
	s.tally.deliveries++
	if c.options&optDeflate != 0 {
		s.push(c, m.compressed())
	} else {
		s.push(c, m.frame)
	}
}
