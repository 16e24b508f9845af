package engine

import (
	"errors"

	"boundary-app.org/realtime/internal/metrics"
	"boundary-app.org/realtime/internal/poll"
)

const (
	// maxVector is how many chunks one writev takes.
	maxVector = 64
	// scratchSize is the size in bytes up to which copying chunks together is
	// cheaper than writev.
	scratchSize = 8 << 10
)

// enqueueChunk puts a chunk behind what waits for a connection and has it flushed at
// the end of this loop iteration. A connection that is ending gets nothing more.
func (s *shard) enqueueChunk(c *Conn, ch chunk) {
	if !c.state.takesMessages() {
		return
	}
	s.appendChunk(c, ch)
	s.enforceLimit(c)
}

// enforceLimit trims a backlog that has grown over the limit, or ends its connection.
func (s *shard) enforceLimit(c *Conn) {
	limit := s.engine.cfg.MaxBacklog
	if c.out.excess(limit) <= 0 {
		return
	}
	if c.flags&flagArmed == 0 && c.state.writes() {
		s.flush(c) // it may only be a long iteration, not a slow reader
	}
	if c.state == dead || c.out == nil || c.out.excess(limit) <= 0 {
		return
	}
	if c.blocking != nil && c.blocking.keepsUp(c.out.size, limit, s.tick()) {
		return
	}
	if !s.trimBacklog(c) {
		s.tooSlow(c)
	}
}

// appendChunk puts a chunk into the backlog, whatever its size, behind what is held
// back until Open.
func (s *shard) appendChunk(c *Conn, ch chunk) {
	if c.state.holdsBack() {
		s.backlogOf(c).hold(ch)
	} else {
		s.backlogOf(c).push(ch)
	}
	s.markDirty(c)
}

// appendAhead is appendChunk, ahead of what is held back.
func (s *shard) appendAhead(c *Conn, ch chunk) {
	s.backlogOf(c).push(ch)
	s.markDirty(c)
}

func (s *shard) backlogOf(c *Conn) *backlog {
	if c.out == nil {
		c.out = newBacklog(s.tick(), &s.tally.backlog)
		s.slots[c.slot].fd = -1
	}
	return c.out
}

func (s *shard) dropBacklog(c *Conn) {
	if c.out != nil {
		c.out.clear()
		c.out = nil
	}
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

// blocked takes a chunk of which a direct write wrote only the first n bytes: the rest
// becomes the connection's backlog.
func (s *shard) blocked(c *Conn, ch chunk, n int, err error) {
	if err != nil && !errors.Is(err, poll.ErrAgain) {
		s.writeFailed(c)
		return
	}
	s.appendChunk(c, ch)
	c.out.wrote(n)
	s.arm(c, true)
	if c.state != dead {
		s.enforceLimit(c)
	}
}

// flush writes what waits for a connection, as far as its socket takes it.
func (s *shard) flush(c *Conn) {
	if c.state == dead || c.out == nil {
		return
	}
	if c.blocking != nil {
		s.startWriter(c)
		return
	}
	for len(c.out.chunks) > 0 {
		n, err := s.writeChunks(c)
		c.out.wrote(n)
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
	switch b := c.out; {
	case len(b.chunks) == 1:
		return poll.Write(int(c.fd), b.first())
	case b.size <= cap(s.scratch):
		return poll.Write(int(c.fd), b.appendTo(s.scratch[:0]))
	default:
		return poll.Writev(int(c.fd), b.vector(maxVector))
	}
}

// drained runs when everything is written: fan-outs then write to the socket directly.
func (s *shard) drained(c *Conn) {
	if s.arm(c, false); c.state == dead {
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

// arm has the poller report when the socket becomes writable, or not.
func (s *shard) arm(c *Conn, on bool) {
	if (c.flags&flagArmed != 0) == on {
		return
	}
	c.flags ^= flagArmed
	s.rewatch(c)
}

// rewatch registers with the poller what the connection waits for now.
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
	s.catchUp(c)
	s.tally.deliveries++
	s.enqueueChunk(c, chunk{data: c.frameOf(m)})
}
