package engine

import (
	"errors"

	"boundary-app.org/realtime/internal/poll"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// readable reads once: a level-triggered poller tells again while there is more,
// and the other connections of the shard get their turn.
func (s *shard) readable(c *Conn) {
	if s.buf == nil {
		s.buf = make([]byte, readBuffer)
	}
	n, err := poll.Read(int(c.fd), s.buf)
	switch {
	case errors.Is(err, poll.ErrAgain):
	case err == nil && n == 0 && s.lastWords(c):
		s.pause(c)
	case err != nil, n == 0:
		s.doom(c)
	default:
		s.feed(c, s.buf[:n])
	}
}

// lastWords reports whether a peer that has ended its stream has yet to be
// written to. Our stream ends behind that.
func (s *shard) lastWords(c *Conn) bool {
	if c.flags&flagEnding != 0 {
		return true
	}
	if c.state != closing || c.out == nil {
		return false
	}
	c.flags |= flagShutOnFlush
	return true
}

// feed works through what arrived on a connection.
func (s *shard) feed(c *Conn, data []byte) {
	deflate := c.options&optDeflate != 0
	for c.flags&flagDeaf == 0 {
		ev, rest, err := c.in.Next(&s.engine.reader, deflate, data)
		if ev.Progress {
			s.heard(c)
		}
		if err != nil {
			s.violated(c, err)
			return
		}
		if ev.Kind == socket.None {
			return
		}
		s.handle(c, ev)
		data = rest
	}
}

// heard notes that the peer is alive: a whole frame has come, or it took some of
// a backlog that our ping waits behind.
func (s *shard) heard(c *Conn) {
	if c.flags&flagPinged != 0 {
		c.flags &^= flagPinged
		c.due = s.tick() + ticks(s.engine.cfg.PingInterval)
		delete(s.busy, c)
		if c.due < c.wake {
			s.reschedule(c)
		}
	}
}

func (s *shard) handle(c *Conn, ev socket.Event) {
	switch ev.Kind {
	case socket.Message:
		if c.state <= open && s.mayReceive(c) {
			s.receive(c, ev)
		}
	case socket.Ping:
		if c.state <= open && s.mayReceive(c) {
			s.settle(c)
			s.pushControl(c, socket.AppendFrame(nil, socket.OpPong, ev.Data))
		}
	case socket.Close:
		s.behindMail(c, peerEnd{ending{ev.Code, string(ev.Data)}, false})
	}
}

// peerEnd is an end that the peer has brought about: by a close frame, or by
// breaking the protocol.
type peerEnd struct {
	ending
	failed bool
}

// behindMail has an end come behind what the handler sends for the messages
// before it, after CloseTimeout at the latest. Nothing more is read meanwhile.
func (s *shard) behindMail(c *Conn, end peerEnd) {
	s.ends[c] = end
	c.flags = c.flags&^flagPinged | flagDeaf | flagEnding
	if c.state > open {
		s.conclude(c)
		return
	}
	c.postBehindMail(task{run: (*shard).mailDone, conn: c})
	s.pause(c)
	s.expire(c, s.engine.cfg.CloseTimeout)
}

func (s *shard) mailDone(t *task) {
	if t.conn.state != gone {
		s.conclude(t.conn)
	}
}

// conclude does what the peer's end asks for, once.
func (s *shard) conclude(c *Conn) {
	end, pending := s.ends[c]
	if !pending {
		return
	}
	delete(s.ends, c)
	c.flags &^= flagEnding
	if end.failed {
		s.closeNow(c, end.code, end.reason)
	} else {
		s.peerClosed(c, end.code, end.reason)
	}
}

// pushControl answers a ping, which need not wait for Open.
func (s *shard) pushControl(c *Conn, frame []byte) {
	if c.state == opening {
		s.addChunk(c, chunk{data: frame})
		s.bound(c)
		return
	}
	s.push(c, chunk{data: frame})
}

func (s *shard) receive(c *Conn, ev socket.Event) {
	s.engine.metrics.MessagesIn.Inc()
	data := ev.Data
	if !ev.Owned {
		data = append([]byte(nil), data...)
	}
	if c.deliver(mail{data: data, text: ev.Op == socket.OpText}) {
		s.pause(c)
	}
}

// mayReceive takes one from the connection's allowance, which refills with time.
func (s *shard) mayReceive(c *Conn) bool {
	cfg := &s.engine.cfg
	if cfg.Rate <= 0 {
		return true
	}
	now := s.tick()
	earned := float32(cfg.Rate * float64(now-c.credited) * tickLength.Seconds())
	c.credit = min(c.credit+earned, float32(cfg.Burst))
	c.credited = now
	if c.credit < 1 {
		s.closeNow(c, uint16(wire.CloseTooManyRequests), "too many messages; slow down and reconnect")
		return false
	}
	c.credit--
	return true
}

// pause stops reading a connection until its handler has caught up: the
// client's own TCP window then holds it back.
func (s *shard) pause(c *Conn) {
	if c.flags&flagPaused != 0 {
		return
	}
	c.flags |= flagPaused
	s.rewatch(c)
}

func (s *shard) resume(t *task) {
	if t.conn.state != gone && t.conn.flags&flagEnding == 0 {
		s.unpause(t.conn)
	}
}

func (s *shard) unpause(c *Conn) {
	if c.flags&flagPaused == 0 {
		return
	}
	c.flags &^= flagPaused
	s.rewatch(c)
	if c.offLoop != nil {
		c.offLoop.readOn()
	}
}

// violated ends a connection whose peer broke the protocol (RFC 6455 7.1.7).
func (s *shard) violated(c *Conn, err error) {
	var violation *socket.ProtocolError
	if !errors.As(err, &violation) {
		violation = &socket.ProtocolError{Code: socket.CloseProtocol, Text: err.Error()}
	}
	s.behindMail(c, peerEnd{ending{violation.Code, violation.Text}, true})
}
