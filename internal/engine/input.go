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
	case err != nil:
		s.disconnected(c)
	case n == 0:
		s.inputEnded(c)
	default:
		s.feed(c, s.buf[:n], shared)
	}
}

// feed works through what arrived on a connection. When the handler's queue has
// become full, what is left of data is kept for later.
func (s *shard) feed(c *Conn, data []byte, of owner) {
	deflate := c.options&optDeflate != 0
	for !c.state.discardsInput() {
		if c.flags&flagPaused != 0 {
			s.keepRest(c, data, of)
			return
		}
		ev, rest, err := c.in.Next(&s.engine.reader, deflate, data)
		if ev.Progress() {
			s.heard(c)
		}
		if err != nil {
			s.violated(c, err)
			return
		}
		s.handle(c, ev)
		if ev.Kind == socket.None {
			return
		}
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
	if ev.Kind == socket.Close {
		s.transition(c, onPeerClose, cause{ending{ev.Code, string(ev.Data)}, true})
		return
	}
	if !c.state.receives() || !s.mayReceive(c, c.costOf(ev)) {
		return
	}
	switch ev.Kind {
	case socket.Message:
		s.receive(c, ev)
	case socket.Ping:
		s.catchUp(c)
		s.pushControl(c, socket.AppendFrame(nil, socket.OpPong, ev.Data))
	case socket.Pong:
		c.flags &^= flagOwesPong
	}
}

// pushControl answers a ping, which need not wait for Open.
func (s *shard) pushControl(c *Conn, frame []byte) {
	if c.state.holdsBack() {
		s.appendAhead(c, chunk{data: frame})
		s.enforceLimit(c)
		return
	}
	s.enqueueChunk(c, chunk{data: frame})
}

func (s *shard) receive(c *Conn, ev socket.Event) {
	s.engine.metrics.MessagesIn.Inc()
	data := ev.Data
	if !ev.Owned {
		data = socket.Copy(data)
	}
	if c.queueCall(call{data: data, text: ev.Op == socket.OpText, deflated: ev.Deflated}) {
		s.pause(c)
	}
}

// violated ends a connection whose peer broke the protocol (RFC 6455 7.1.7).
func (s *shard) violated(c *Conn, err error) {
	s.transition(c, onPeerClose, cause{ending: violation(err)})
}

// violation returns how a connection ends for an error of the socket package.
func violation(err error) ending {
	var violation *socket.ProtocolError
	if !errors.As(err, &violation) {
		violation = &socket.ProtocolError{Code: socket.CloseProtocol, Text: err.Error()}
	}
	return ending{violation.Code, violation.Text}
}
