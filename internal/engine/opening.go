package engine

// attach gives a new connection its slot and begins to read it.
func (s *shard) attach(t *task) {
	c, a := t.conn, t.arg.(*arrival)
	s.place(c)
	if c.fd >= 0 {
		if err := s.watch(c); err != nil {
			s.engine.log.Error("cannot poll a connection", "error", err)
			s.disconnected(c)
			return
		}
	}
	if a.prelude != nil {
		s.appendAhead(c, chunk{a.prelude, handshake}) // goes out with the first frame, if Open comes in the same turn
	}
	s.schedulePing(c)
	if len(a.buffered) > 0 {
		s.feed(c, a.buffered, owned)
	}
	if c.blocking != nil && c.state != dead && c.flags&flagPaused == 0 {
		c.blocking.resumeReader(c) // only now: the bytes of the socket come after a.buffered
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

// open writes the first frame, if there is one, then what was held back.
func (s *shard) open(t *task) {
	c := t.conn
	if t.msg != nil {
		s.unload(len(t.msg.frame), 1)
	}
	if c.state.holdsBack() {
		s.catchUp(c) // which may find that it is too slow
	}
	if !c.state.holdsBack() {
		return
	}
	s.transition(c, onOpen, cause{})
	if c.out != nil {
		c.out.since = s.tick()
	}
	if t.msg != nil {
		s.appendAhead(c, chunk{data: t.msg.frame})
	}
	if c.out != nil {
		c.out.release()
		s.markDirty(c)
	}
}
