package engine

import (
	"math/rand/v2"
	"time"

	"boundary-app.org/realtime/internal/poll"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

const tickLength = 20 * time.Millisecond

// tick is a time in steps of tickLength since the engine started, in 32 bits: after
// 994 days it begins again at 0. Two ticks are compared by their difference, which
// is right for those that are less than half of that apart.
type tick uint32

func (t tick) before(other tick) bool { return int32(t-other) < 0 }

// longest is the longest time that is counted in ticks.
const longest = 1 << 30 * tickLength

func ticks(d time.Duration) tick { return tick((min(d, longest) + tickLength - 1) / tickLength) }

// elapsed is the number of ticks since the start, without an end.
func (e *Engine) elapsed(t time.Time) int64 { return int64(t.Sub(e.start) / tickLength) }

func (e *Engine) tickAt(t time.Time) tick { return tick(e.elapsed(t)) }

// timeOf returns the time of a tick that is near to now.
func (e *Engine) timeOf(t tick, now time.Time) time.Time {
	elapsed := e.elapsed(now)
	elapsed += int64(int32(t - tick(elapsed)))
	return e.start.Add(time.Duration(elapsed) * tickLength)
}

func (s *shard) tick() tick { return s.engine.tickAt(s.now) }

// in returns the tick after d. It is never 0, which stands for never.
func (s *shard) in(d time.Duration) tick { return max(s.tick()+ticks(d), 1) }

func (s *shard) onTimer() {
	s.readClock()
	s.wheel.armed = false
	s.wheel.turn(s.tick(), s.fireTimer)
	s.flushDirty()
}

// fireTimer does what is due for a connection.
func (s *shard) fireTimer(e entry) {
	c := s.slots[e.slot].conn
	if c == nil || c.generation != e.generation || c.state == dead || c.wake != e.at {
		return
	}
	now := s.tick()
	switch {
	case c.state.awaitsHandler():
		if !now.before(c.due) {
			s.answerEnd(c)
			return
		}
	case c.state >= broken:
		if !now.before(c.due) {
			s.transition(c, onTimeout, cause{})
			return
		}
	case s.expired(c):
		s.abort(c, uint16(wire.CloseTokenExpired), "the token has expired; get a new one and reconnect")
		return
	default:
		s.ping(c, now)
	}
	s.reschedule(c)
}

// ping sends a ping when it is time, or ends a connection that did not answer.
func (s *shard) ping(c *Conn, now tick) {
	if c.due == 0 || now.before(c.due) {
		return
	}
	cfg := &s.engine.cfg
	switch {
	case c.flags&flagPinged != 0:
		s.awaitPong(c, now)
		return
	case c.flags&flagPaused != 0:
		c.due = s.in(cfg.PongTimeout) // unread by our choice: silence proves nothing
		return
	}
	frames := socket.AppendFrame(nil, socket.OpPing, nil)
	if c.options&(optTextPing|optTransport) != 0 && c.state.writes() {
		frames = socket.AppendFrame(frames, socket.OpText, cfg.PingText)
	}
	s.catchUp(c)
	before := s.ahead(c)
	s.pushControl(c, frames)
	if c.state.takesMessages() {
		c.flags |= flagPinged | flagOwesPong | flagPingWaits
		c.due = s.in(cfg.PongTimeout)
		if before.acked < before.until {
			s.busy[c] = before
		}
	}
}

// pongRetry is when a timer that fired too late fires again.
const pongRetry = time.Second

// awaitPong ends a connection whose pong is due, unless there is a reason to wait.
// A loop that is late has not read what came meanwhile, as after the process was
// stopped: the pong may be there.
func (s *shard) awaitPong(c *Conn, now tick) {
	timeout := s.engine.cfg.PongTimeout
	switch {
	case s.makesProgress(c):
		c.due = s.in(timeout)
	case now-c.due > ticks(lateTimer):
		c.due = s.in(min(pongRetry, timeout))
	default:
		s.abort(c, uint16(wire.CloseNoPong), "no answer to a ping")
	}
}

// busy is how far a peer's acknowledgements have come on their way to a ping.
type busy struct {
	acked uint64 // bytes, when the timer last fired
	until uint64 // the bytes that went out before the ping
}

// ahead returns what goes out before a ping that would be written now: the pong
// cannot come before the peer has read that.
func (s *shard) ahead(c *Conn) busy {
	fd := c.descriptor()
	if fd < 0 {
		return busy{}
	}
	acked, pending := poll.Acknowledged(fd)
	if b := c.out; b != nil {
		pending += uint64(b.unwritten())
	}
	return busy{acked, acked + pending}
}

// makesProgress reports whether the peer has acknowledged more of what was sent before
// the ping since the timer last fired. Once it has all of that, it has PongTimeout for
// the pong itself.
func (s *shard) makesProgress(c *Conn) bool {
	b, known := s.busy[c]
	if !known {
		return false
	}
	acked, _ := poll.Acknowledged(c.descriptor())
	acked = min(acked, b.until)
	if acked <= b.acked {
		return false
	}
	if acked == b.until {
		delete(s.busy, c)
	} else {
		s.busy[c] = busy{acked, b.until}
	}
	return true
}

// descriptor returns the socket's descriptor, that below TLS included, or -1.
func (c *Conn) descriptor() int {
	if c.blocking == nil {
		return int(c.fd)
	}
	if l, ok := c.blocking.link.(*netLink); ok {
		return l.fd
	}
	return -1
}

// schedulePing starts the pings of a new connection at a random time of its
// first interval, so that those of many do not fall together.
func (s *shard) schedulePing(c *Conn) {
	interval := ticks(s.engine.cfg.PingInterval)
	if interval > 0 {
		c.due = max(1, 1+s.tick()+interval/2+tick(rand.Uint32N(uint32(interval/2)+1)))
	}
	s.reschedule(c)
}

// expire gives a closing connection until then.
func (s *shard) expire(c *Conn, d time.Duration) {
	c.due = s.in(d)
	s.reschedule(c)
}

// reschedule puts a connection on the wheel for when something is due next.
func (s *shard) reschedule(c *Conn) {
	at, ok := s.nextDue(c)
	now := s.tick()
	if !ok || at == c.wake && now.before(at) {
		return
	}
	if !now.before(at) {
		at = now + 1 // the tick that is being looked at is over
	}
	c.wake = at
	s.wheel.add(entry{slot: c.slot, generation: c.generation, at: at}, now)
}

func (s *shard) nextDue(c *Conn) (at tick, ok bool) {
	if c.state >= broken {
		return c.due, true
	}
	if c.due != 0 {
		at, ok = c.due, true
	}
	if c.expires != 0 {
		if due := s.in(s.untilExpiry(c)); !ok || due.before(at) {
			at, ok = due, true
		}
	}
	return at, ok
}
