package engine

import (
	"errors"

	"boundary-app.org/realtime/internal/poll"
	"boundary-app.org/realtime/internal/socket"
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
		s.feed(c, s.buf[:n], shared)
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

// feed works through what arrived on a connection. When the handler's queue has
// become full, what is left of data is kept for later.
func (s *shard) feed(c *Conn, data []byte, of owner) {
	deflate := c.options&optDeflate != 0
	for c.flags&flagDeaf == 0 {
		if c.flags&flagPaused != 0 {
			s.keepRest(c, data, of)
			return
		}
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
		c.due = s.in(s.engine.cfg.PingInterval)
		delete(s.busy, c)
		if c.due.before(c.wake) {
			s.reschedule(c)
		}
	}
}

func (s *shard) handle(c *Conn, ev socket.Event) {
	switch ev.Kind {
	case socket.Message:
		if c.state <= broken && s.mayReceive(c, costOf(ev)) {
			s.receive(c, ev)
		}
	case socket.Ping:
		if c.state <= broken && s.mayReceive(c, 1) {
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
	c.flags = c.flags&^flagPinged | flagEnding
	s.deafen(c)
	switch {
	case c.state == broken:
		s.doom(c)
		return
	case c.state > open:
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
	if c.deliver(mail{data: data, text: ev.Op == socket.OpText, deflated: ev.Deflated}) {
		s.pause(c)
	}
}

// violated ends a connection whose peer broke the protocol (RFC 6455 7.1.7).
func (s *shard) violated(c *Conn, err error) {
	s.behindMail(c, peerEnd{violation(err), true})
}

// violation returns how a connection ends for an error of the socket package.
func violation(err error) ending {
	var violation *socket.ProtocolError
	if !errors.As(err, &violation) {
		violation = &socket.ProtocolError{Code: socket.CloseProtocol, Text: err.Error()}
	}
	return ending{violation.Code, violation.Text}
}
