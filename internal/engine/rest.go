package engine

import "bytes"

// A connection is paused while its handler's queue is full. What was read before
// and not fed, its rest, waits in shard.rests: at most one read of the socket, or
// what came with the handshake. A connection with a rest is paused, its state is one
// that receives, and nothing more is read from it, so that the rest is fed first
// when the handler has caught up.

// owner says whose the memory is that feed gets.
type owner bool

const (
	shared owner = false // the loop's: the next read overwrites it
	owned  owner = true  // the connection's until it is read again
)

// keepRest keeps what is to be fed when the handler has caught up.
func (s *shard) keepRest(c *Conn, data []byte, of owner) {
	if len(data) == 0 {
		return
	}
	if of == shared {
		data = bytes.Clone(data)
	}
	s.rests[c] = data
	c.flags |= flagRest
}

// takeRest returns a connection's rest, which it has no more.
func (s *shard) takeRest(c *Conn) []byte {
	if c.flags&flagRest == 0 {
		return nil
	}
	rest := s.rests[c]
	delete(s.rests, c)
	c.flags &^= flagRest
	return rest
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
	if !t.conn.state.awaitsHandler() {
		s.unpause(t.conn)
	}
}

// unpause feeds a connection's rest and, unless the handler's queue is full
// again, reads on.
func (s *shard) unpause(c *Conn) {
	if c.flags&flagPaused == 0 {
		return
	}
	c.flags &^= flagPaused
	s.feed(c, s.takeRest(c), owned)
	switch {
	case c.state == dead:
	case c.flags&flagPaused == 0:
		s.rewatch(c)
		if c.blocking != nil {
			c.blocking.resumeReader(c)
		}
	}
}
