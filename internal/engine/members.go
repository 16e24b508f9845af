package engine

// join gives a connection what it is to have before, and adds it to a list.
func (s *shard) join(t *task) {
	c, l := t.conn, t.list
	if c.flags&flagUnlisted != 0 {
		return
	}
	s.catchUp(c) // it must not get what was sent to the list before
	if replay, ok := t.arg.([]*message); ok {
		s.replay(c, l.group, replay)
	}
	if c.joined(l, len(l.members)) {
		l.members = append(l.members, c.slot)
	}
	s.run = nil
}

// replay writes earlier messages of a group to a connection.
func (s *shard) replay(c *Conn, g *group, messages []*message) {
	s.tally.deliveries += len(messages)
	for _, m := range messages {
		s.enqueueChunk(c, chunk{c.frameOf(m), g})
	}
}

// leave takes a connection out of a list.
func (s *shard) leave(t *task) {
	s.catchUp(t.conn)
	if m, ok := t.conn.forget(t.list); ok {
		s.remove(m)
	}
}

// remove closes the gap that a membership leaves with the list's last member.
func (s *shard) remove(m membership) {
	l := m.list
	last := len(l.members) - 1
	moved := s.slots[l.members[last]].conn
	if l.pending != nil {
		s.catchUp(moved) // its new place may be one the fan-out has passed
	}
	if int(m.pos) != last {
		l.members[m.pos] = moved.slot
		moved.moved(l, m.pos)
	}
	l.members = l.members[:last]
	s.run = nil
}

// members returns a list's connections; it waits for the loop.
func (s *shard) members(l *list) []*Conn {
	answer := make(chan []*Conn, 1)
	s.post(task{list: l, arg: answer, run: (*shard).answerMembers})
	select {
	case conns := <-answer:
		return conns
	case <-s.done:
		return nil
	}
}

func (s *shard) answerMembers(t *task) {
	conns := make([]*Conn, 0, len(t.list.members))
	for _, slot := range t.list.members {
		if c := s.slots[slot].conn; c.flags&flagUnlisted == 0 {
			conns = append(conns, c)
		}
	}
	t.arg.(chan []*Conn) <- conns
}
