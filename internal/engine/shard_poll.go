package engine

import (
	"crypto/tls"
	"net"
	"runtime"

	"boundary-app.org/realtime/internal/poll"
)

// poll handles events and timers that are due, between two slices of a long fan-out.
func (s *shard) poll() {
	runtime.Gosched() // on one processor publishers and handlers get their turn
	select {
	case events := <-s.ready:
		s.onEvents(events)
	default:
	}
	s.readClock()
	if at, ok := s.wheel.next(); ok && !s.tick().before(at) {
		s.onTimer()
	}
}

func (s *shard) onEvents(events []poll.Event) {
	s.readClock()
	for _, e := range events {
		s.onEvent(e)
	}
	s.handled <- struct{}{}
	s.flushDirty()
}

func (s *shard) onEvent(e poll.Event) {
	if int(e.Token.Slot) >= len(s.slots) {
		return
	}
	c := s.slots[e.Token.Slot].conn
	if c == nil || c.generation != e.Token.Generation || c.state == dead {
		return // the event was on its way when the connection ended
	}
	if e.Writable {
		s.flush(c)
	}
	switch {
	case c.blocking != nil:
		s.startReader(c)
	case c.flags&flagPaused == 0 && (e.Readable || e.Hangup):
		s.readable(c)
	case e.Hangup:
		s.writeFailed(c)
	}
}

// watch begins to poll a connection's descriptor.
func (s *shard) watch(c *Conn) error {
	return s.poller.Add(int(c.fd), poll.Token{Slot: c.slot, Generation: c.generation})
}

// adopt takes a connection's descriptor over, where the system allows it.
func (s *shard) adopt(conn net.Conn) (fd int, ok bool) {
	if !poll.Takes(conn) {
		return -1, false
	}
	s.startPoller()
	if s.poller == nil {
		return -1, false
	}
	return poll.Take(conn)
}

// below returns the descriptor that can be polled for a TLS connection, or -1.
func (s *shard) below(conn net.Conn) (fd int) {
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return -1
	}
	base := poll.Bare(secure.NetConn())
	if !poll.Takes(base) {
		return -1
	}
	s.startPoller()
	if s.poller == nil {
		return -1
	}
	return poll.Descriptor(base)
}

// startPoller runs for the first descriptor; a shard without any has no poller,
// which lets tests run the engine in virtual time.
func (s *shard) startPoller() {
	s.pollOnce.Do(func() {
		poller, err := poll.New(pollBatch)
		if err != nil {
			s.engine.log.Warn("no poller: connections use more memory", "error", err)
			return
		}
		s.poller = poller
		s.engine.workers.Go(s.runPoller)
	})
}
