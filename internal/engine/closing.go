package engine

import (
	"time"

	"boundary-app.org/realtime/internal/metrics"
	"boundary-app.org/realtime/internal/poll"
	"boundary-app.org/realtime/internal/socket"
)

// lingerTime is how long a connection waits for the end of the peer's stream after it
// has ended its own. Closing at once would reset the connection if anything is unread,
// and a reset destroys the close frame on its way.
const lingerTime = time.Second

// unreadTime is how long the kernel keeps what a client has not taken when its
// connection is closed, while the client takes none of it.
const unreadTime = 30 * time.Second

// unlisted follows the tasks that took a connection out of the lists of its groups.
// Its socket may still be open.
func (s *shard) unlisted(t *task) {
	c := t.conn
	s.catchUp(c)
	c.flags |= flagUnlisted
	s.release(c)
}

// release frees the slot of a connection whose socket is closed and that is in no list.
func (s *shard) release(c *Conn) {
	if c.state == dead && c.flags&flagUnlisted != 0 && s.slots[c.slot].conn == c {
		s.slots[c.slot] = slot{fd: -1}
		s.free = append(s.free, c.slot)
	}
}

// cause is why a connection ends.
type cause struct {
	ending
	byPeer bool // by a close frame of the peer, which is answered with its code
}

// transition moves a connection to its next closeState and runs the action. An event
// without a cause of its own has that of the peer's close, if one waits.
func (s *shard) transition(c *Conn, ev closeEvent, why cause) {
	step, err := c.state.step(ev)
	if err != nil {
		s.invalid = err
	}
	if step.do == invalid {
		return
	}
	from := c.state
	c.state = step.next
	if pending, ok := s.ends[c]; ok && why.code == 0 {
		why = pending
	}
	if !c.state.awaitsHandler() {
		delete(s.ends, c)
	}
	if c.state.discardsInput() {
		s.takeRest(c)
	}
	if !c.state.takesMessages() {
		s.slots[c.slot].fd = -1
		c.flags &^= flagPinged
	}
	s.act(c, step.do, from, why)
	if c.state == flushing && c.out == nil {
		s.transition(c, onFlushed, why)
	}
}

func (s *shard) act(c *Conn, do closeAction, from closeState, why cause) {
	switch do {
	case awaitHandler:
		s.awaitHandler(c, why)
	case sendClose:
		s.sendClose(c, why)
	case stopReading:
		s.pause(c)
	case stopWriting:
		s.stopWriting(c)
	case shutdownWrite:
		s.shutdownWrite(c)
	case markDead:
		s.markDead(c, from, why)
	}
}

// awaitHandler delays the answer to the peer's close until the handler has had the
// messages before it, for CloseTimeout at most. Nothing more is read meanwhile.
func (s *shard) awaitHandler(c *Conn, why cause) {
	s.ends[c] = why
	c.flags &^= flagPinged
	c.afterCalls(task{run: (*shard).callsDone, conn: c})
	s.pause(c)
	s.expire(c, s.engine.cfg.CloseTimeout)
}

func (s *shard) callsDone(t *task) { s.answerEnd(t.conn) }

// answerEnd answers the peer's close, if the answer is still due.
func (s *shard) answerEnd(c *Conn) {
	if !c.state.awaitsHandler() {
		return
	}
	why := s.ends[c]
	c.unregister(why, false)
	if c.state == peerClosed && s.waits(c, lingerTime) { // it will not read what it has left unread
		s.drop(metrics.DropClosed, c.out.dropAll())
	} else {
		s.catchUp(c)
	}
	s.transition(c, onCaughtUp, cause{})
}

// closeGracefully ends a connection behind what was sent to it before.
func (s *shard) closeGracefully(t *task) {
	c, end := t.conn, t.arg.(*ending)
	s.catchUp(c)
	ev := onClose
	if c.options&optTransport != 0 {
		ev = onAbort // there is no peer that answers
	}
	s.transition(c, ev, cause{ending: *end})
}

// fail ends a connection for an error that the handler's goroutine found in a message.
// The calls before it have been made; those behind it are dropped.
func (c *Conn) fail(end ending) {
	if c.unregister(cause{ending: end}, true) {
		c.shard.post(task{run: (*shard).failed, conn: c, arg: &end})
	}
}

func (s *shard) failed(t *task) {
	s.catchUp(t.conn)
	s.transition(t.conn, onAbort, cause{ending: *t.arg.(*ending)})
}

// abort ends a connection for something that the loop found. What arrives from here
// on is discarded.
func (s *shard) abort(c *Conn, code uint16, reason string) {
	s.transition(c, onAbort, cause{ending: ending{code, reason}})
}

// sendClose writes the close frame, once, behind everything else.
func (s *shard) sendClose(c *Conn, why cause) {
	c.unregister(why, false)
	if c.out != nil {
		s.drop(metrics.DropClosed, c.out.dropHeld()) // never opened: it must not be the first frame
	}
	reason := why.reason
	if why.byPeer {
		reason = ""
	}
	s.appendAhead(c, chunk{data: socket.AppendClose(nil, why.code, reason)})
	s.engine.metrics.Disconnects.WithLabelValues(metrics.Code(why.code)).Inc()
	s.expire(c, s.engine.cfg.CloseTimeout)
	s.unpause(c)
}

// inputEnded notes that the peer has ended its stream. What waits to be written
// is still written to a connection that is closing.
func (s *shard) inputEnded(c *Conn) {
	ev := onInputEnd
	if c.state == closing && c.out == nil {
		ev = onDisconnect
	}
	s.transition(c, ev, cause{})
}

// writeFailed notes that a connection's socket takes nothing more: a write has
// failed, or the poller reports a hangup of a connection that is paused. What the
// client sent before may wait in the kernel, its close frame included: so reading
// goes on, at the handler's pace, until a read fails as well, for CloseTimeout at
// most. Linux delivers what it had received before a reset; where a system drops
// that, the next read fails, and only what was read before counts.
func (s *shard) writeFailed(c *Conn) {
	ev := onWriteFail
	if c.options&optTransport != 0 {
		ev = onDisconnect // it is not read by us
	}
	s.transition(c, ev, cause{})
}

func (s *shard) stopWriting(c *Conn) {
	c.flags &^= flagArmed
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
		s.disconnected(c)
	}
}

// shutdownWrite sends the end of our stream after the last frame and lingers for
// the peer's.
func (s *shard) shutdownWrite(c *Conn) {
	switch {
	case c.options&optTransport != 0:
		s.disconnected(c)
		return
	case c.blocking != nil:
		c.blocking.shutdownWrite(s.engine)
	default:
		if err := poll.CloseWrite(int(c.fd)); err != nil {
			s.disconnected(c)
			return
		}
	}
	s.expire(c, lingerTime)
}

// disconnected notes that a connection's socket can neither be read nor written.
func (s *shard) disconnected(c *Conn) { s.transition(c, onDisconnect, cause{}) }

// markDead schedules a connection for teardown at the end of this loop iteration,
// when no fan-out walks over it.
func (s *shard) markDead(c *Conn, from closeState, why cause) {
	if why.code == 0 {
		why.ending = ending{socket.CloseAbnormal, "the connection broke"}
	}
	c.unregister(why, false)
	if from < closing {
		s.engine.metrics.Disconnects.WithLabelValues(metrics.Code(why.code)).Inc()
	}
	s.dead = append(s.dead, c)
}

func (s *shard) teardownDead() {
	for i := 0; i < len(s.dead); i++ {
		s.teardown(s.dead[i])
	}
	clear(s.dead)
	s.dead = s.dead[:0]
}

// teardown closes the socket. The loop alone closes descriptors, so that none is
// used again under an operation that is still pending.
func (s *shard) teardown(c *Conn) {
	s.dropBacklog(c)
	c.in = socket.Reader{}
	delete(s.busy, c)
	if c.blocking != nil {
		c.blocking.close(s.engine)
	} else {
		poll.Abandon(int(c.fd), unreadTime)
		_ = poll.Close(int(c.fd))
	}
	s.release(c)
	s.engine.open.Add(-1)
	s.engine.sockets.Done()
}

// stop ends the loop after this iteration.
func (s *shard) stop(*task) { s.stopped = true }

// end closes all connections that are left when the loop ends.
func (s *shard) end() {
	for i := range s.slots {
		if c := s.slots[i].conn; c != nil {
			s.disconnected(c)
		}
	}
	s.teardownDead()
	if s.poller != nil {
		_ = s.poller.Close()
	}
}
