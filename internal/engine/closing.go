package engine

import (
	"time"

	"boundary-app.org/realtime/internal/metrics"
	"boundary-app.org/realtime/internal/poll"
	"boundary-app.org/realtime/internal/socket"
)

// lingerTime is how long the end of the peer's stream is waited for after ours
// was sent. Closing at once would reset the connection if anything is unread,
// and with it destroy the close frame on its way.
const lingerTime = time.Second

// unreadTime is how long the kernel keeps what a client has not taken when its
// connection is closed, while the client takes none of it.
const unreadTime = 30 * time.Second

// attach gives a new connection its slot and begins to read it.
func (s *shard) attach(t *task) {
	c, a := t.conn, t.arg.(*arrival)
	s.place(c)
	if c.fd >= 0 {
		if err := s.watch(c); err != nil {
			s.engine.log.Error("cannot poll a connection", "error", err)
			s.doom(c)
			return
		}
	}
	if a.prelude != nil {
		s.addChunk(c, chunk{a.prelude, handshake}) // goes out with the first frame, if Open comes in the same turn
	}
	s.schedulePing(c)
	if len(a.buffered) > 0 {
		s.feed(c, a.buffered, owned)
	}
	if c.offLoop != nil && c.state != gone && c.flags&flagPaused == 0 {
		c.offLoop.readOn(c) // only now: the bytes of the socket come after a.buffered
	}
}

func (s *shard) place(c *Conn) {
	s.serial++
	c.generation = s.serial
	c.credited = s.tick()
	mine := slot{fd: -1, seen: s.seq, conn: c}
	if last := len(s.free) - 1; last >= 0 {
		c.slot = s.free[last]
		s.free = s.free[:last]
		s.slots[c.slot] = mine
		return
	}
	c.slot = int32(len(s.slots))
	s.slots = append(s.slots, mine)
}

// addChunk writes a chunk ahead of what is held back.
func (s *shard) addChunk(c *Conn, ch chunk) {
	if c.out == nil {
		c.out = &backlog{since: s.tick()}
	}
	c.out.chunks = append(c.out.chunks, ch)
	s.resize(c, ch.cost())
	s.markDirty(c)
}

// open writes the first frame, if there is one, then what was held back.
func (s *shard) open(t *task) {
	c := t.conn
	if t.msg != nil {
		s.unload(len(t.msg.frame), 1)
	}
	if c.state == opening {
		s.settle(c) // which may find that it is too slow
	}
	if c.state != opening {
		return
	}
	c.state = open
	if c.out != nil {
		c.out.since = s.tick()
	}
	if t.msg != nil {
		s.addChunk(c, chunk{data: t.msg.frame})
	}
	if c.out != nil {
		c.out.chunks = append(c.out.chunks, c.out.held...)
		c.out.held = nil
		s.markDirty(c)
	}
}

// retired removes a connection from all lists. It may still be closing.
func (s *shard) retired(t *task) {
	c := t.conn
	s.settle(c)
	for _, m := range c.forgetAll() {
		if m.pos != notJoined {
			s.remove(m)
		}
	}
	c.flags |= flagRetired
	s.release(c)
}

// release frees the slot of a connection that has neither socket nor lists.
func (s *shard) release(c *Conn) {
	if c.state == gone && c.flags&flagRetired != 0 && s.slots[c.slot].conn == c {
		s.slots[c.slot] = slot{fd: -1}
		s.free = append(s.free, c.slot)
	}
}

// closeGently ends a connection behind what was sent to it before.
func (s *shard) closeGently(t *task) {
	c, end := t.conn, t.arg.(*ending)
	s.settle(c)
	s.sayClose(c, end.code, end.reason)
	s.conclude(c) // the peer may have said its own already
}

// fail ends a connection for what its handler's goroutine found in a message:
// the calls before it have been made, those behind it are not.
func (c *Conn) fail(end ending) {
	if c.retire(end.code, end.reason, true) {
		c.shard.post(task{run: (*shard).failed, conn: c, arg: &end})
	}
}

func (s *shard) failed(t *task) {
	c, end := t.conn, t.arg.(*ending)
	delete(s.ends, c) // the peer ended it behind that message
	c.flags &^= flagEnding
	s.settle(c)
	s.sayClose(c, end.code, end.reason)
	s.hangUp(c)
}

// closeNow ends a connection for something the loop found. What arrives from
// here on is discarded.
func (s *shard) closeNow(c *Conn, code uint16, reason string) {
	c.retire(code, reason, false)
	s.sayClose(c, code, reason)
	s.hangUp(c)
}

// hangUp ends our side as soon as the close frame is written.
func (s *shard) hangUp(c *Conn) {
	s.deafen(c)
	c.flags |= flagShutOnFlush
	if c.state == closing && c.out == nil {
		s.shut(c)
	}
}

// sayClose sends the close frame, once, and begins to wait for the peer's.
func (s *shard) sayClose(c *Conn, code uint16, reason string) {
	if c.state == broken {
		s.doomWith(c, code)
	}
	if c.state > open {
		return
	}
	if c.out != nil {
		for _, ch := range c.out.held { // never opened: it must not be the first frame
			s.resize(c, -ch.cost())
			s.engine.metrics.Drops.WithLabelValues(metrics.DropClosed).Inc()
		}
		c.out.held = nil
	}
	c.state = closing
	c.flags &^= flagPinged
	s.slots[c.slot].fd = -1
	s.addChunk(c, chunk{data: socket.AppendClose(nil, code, reason)})
	s.engine.metrics.Disconnects.WithLabelValues(metrics.Code(code)).Inc()
	s.expire(c, s.engine.cfg.CloseTimeout)
	s.unpause(c)
	if c.options&optTransport != 0 {
		s.hangUp(c) // there is no peer that answers
	}
}

// peerClosed answers a close frame, or completes the handshake we began.
func (s *shard) peerClosed(c *Conn, code uint16, reason string) {
	unread := c.state == open && s.waits(c, lingerTime)
	c.retireFor(ending{code, reason}, true, false)
	if unread { // it will not read what it has left unread
		s.drop(metrics.DropClosed, s.cut(c))
	} else {
		s.settle(c)
	}
	s.sayClose(c, code, "")
	s.hangUp(c)
}

// shut sends the end of our stream after the last frame and lingers for the peer's.
func (s *shard) shut(c *Conn) {
	if c.state == gone {
		return
	}
	s.deafen(c)
	c.flags &^= flagShutOnFlush
	if c.options&optTransport != 0 {
		s.doom(c)
		return
	}
	c.state = lingering
	s.slots[c.slot].fd = -1
	if c.offLoop != nil {
		c.offLoop.shut(s.engine)
	} else if err := poll.CloseWrite(int(c.fd)); err != nil {
		s.doom(c)
		return
	}
	s.expire(c, lingerTime)
}

// writeFailed notes that a connection's socket takes nothing more: a write has
// failed, or the poller reports a hangup of a connection that is paused. What the
// client sent before may wait in the kernel, its close frame included: so reading
// goes on, at the handler's pace, until a read fails as well, for CloseTimeout at
// most. Linux delivers what it had received before a reset; where a system drops
// that, the next read fails, and only what was read before counts.
func (s *shard) writeFailed(c *Conn) {
	if c.state == broken {
		return // this event was on its way
	}
	if c.state > open || c.flags&flagEnding != 0 || c.options&optTransport != 0 {
		s.doom(c)
		return
	}
	c.state = broken
	c.flags &^= flagPinged | flagArmed
	delete(s.busy, c)
	s.slots[c.slot].fd = -1
	s.dropBacklog(c)
	s.expire(c, s.engine.cfg.CloseTimeout)
	if c.fd >= 0 {
		_ = s.poller.Remove(int(c.fd))
		if c.flags&flagPaused == 0 {
			s.watchBroken(c)
		}
	}
}

// watchBroken has the poller report a broken connection unless it is paused: the
// failure would be reported again and again.
func (s *shard) watchBroken(c *Conn) {
	if c.flags&flagPaused != 0 {
		_ = s.poller.Remove(int(c.fd))
	} else if err := s.watch(c); err != nil {
		s.doom(c)
	}
}

func (s *shard) dropBacklog(c *Conn) {
	if c.out != nil {
		s.resize(c, -c.out.size)
		c.out = nil
	}
}

// doom marks a connection whose socket has ended or failed. It is buried at the
// end of the turn, when no fan-out walks over it.
func (s *shard) doom(c *Conn) { s.doomWith(c, socket.CloseAbnormal) }

func (s *shard) doomWith(c *Conn, code uint16) {
	if c.state == gone {
		return
	}
	s.slots[c.slot].fd = -1
	if end, pending := s.ends[c]; pending { // it broke while the handler was behind
		code = end.code
		c.retireFor(end.ending, !end.failed, false)
	}
	if c.state <= broken {
		s.engine.metrics.Disconnects.WithLabelValues(metrics.Code(code)).Inc()
	}
	c.state = gone
	s.doomed = append(s.doomed, c)
}

func (s *shard) buryDoomed() {
	for i := 0; i < len(s.doomed); i++ {
		s.bury(s.doomed[i])
	}
	clear(s.doomed)
	s.doomed = s.doomed[:0]
}

// bury closes the socket. The loop alone closes descriptors, so that none is
// used again under an operation that is still pending.
func (s *shard) bury(c *Conn) {
	c.retire(socket.CloseAbnormal, "the connection broke", false)
	s.dropBacklog(c)
	c.in = socket.Reader{}
	delete(s.busy, c)
	delete(s.ends, c)
	s.takeRest(c)
	if c.offLoop != nil {
		c.offLoop.close(s.engine)
	} else {
		poll.Abandon(int(c.fd), unreadTime)
		_ = poll.Close(int(c.fd))
	}
	s.release(c)
	s.engine.open.Add(-1)
	s.engine.sockets.Done()
}

// stop ends the loop after this turn.
func (s *shard) stop(*task) { s.stopped = true }

// end closes what is left when the loop ends.
func (s *shard) end() {
	for i := range s.slots {
		if c := s.slots[i].conn; c != nil {
			s.doom(c)
		}
	}
	s.buryDoomed()
	if s.poller != nil {
		_ = s.poller.Close()
	}
}
