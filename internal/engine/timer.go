package engine

import (
	"math/rand/v2"
	"time"

	"boundary-app.org/realtime/internal/poll"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

const (
	tickLength = 20 * time.Millisecond
	buckets    = 2048 // about 41 s; what is due later goes round again
	bucketKept = 64   // entries that a bucket keeps room for
)

// farthest is how far ahead an expiry is put on the wheel: ticks are few, and
// wall clocks are set.
const farthest = time.Hour

// tick is a time in steps of tickLength since the engine started.
type tick uint32

func ticks(d time.Duration) tick { return tick((d + tickLength - 1) / tickLength) }

func (e *Engine) tickAt(t time.Time) tick { return tick(t.Sub(e.start) / tickLength) }

func (e *Engine) timeOf(t tick) time.Time { return e.start.Add(time.Duration(t) * tickLength) }

func (s *shard) tick() tick { return s.engine.tickAt(s.now) }

// wheel knows when to look at which connection. An entry says only when: what
// is due is derived from the connection, so that an entry that has become
// meaningless costs one look.
type wheel struct {
	buckets [buckets][]entry
	entries int
	turned  tick // all buckets before it are empty
	first   tick // the first tick with an entry; 0: not known
	armed   tick // what the timer is set to; 0: it is not
}

type entry struct {
	slot       int32
	generation int32
	at         tick
}

func newWheel() wheel { return wheel{} }

func (w *wheel) add(e entry) {
	e.at = max(e.at, w.turned)
	w.buckets[e.at%buckets] = append(w.buckets[e.at%buckets], e)
	w.entries++
	if w.entries == 1 || e.at < w.first {
		w.first = e.at
	}
}

// next returns the first tick with an entry, looking one round ahead.
func (w *wheel) next() (at tick, ok bool) {
	if w.entries == 0 {
		return 0, false
	}
	if w.first != 0 {
		return w.first, true
	}
	for at = w.turned; at < w.turned+buckets; at++ {
		if len(w.buckets[at%buckets]) > 0 {
			w.first = at
			return at, true
		}
	}
	return 0, false
}

// turn calls due for the entries up to now and forgets them.
func (w *wheel) turn(now tick, due func(entry)) {
	if now >= w.turned+buckets {
		w.turned = now - buckets + 1 // after a long pause: one round sees all
	}
	for ; w.turned <= now; w.turned++ {
		bucket := &w.buckets[w.turned%buckets]
		entries := *bucket
		*bucket = nil
		w.entries -= len(entries)
		for _, e := range entries {
			if e.at <= now {
				due(e)
			} else {
				w.entries++
				*bucket = append(*bucket, e)
			}
		}
		if *bucket == nil && cap(entries) <= bucketKept {
			*bucket = entries[:0]
		}
	}
	w.first = 0
}

// setTimer has the timer fire when the wheel next has something to do.
func (s *shard) setTimer(timer *time.Timer) {
	at, ok := s.wheel.next()
	if !ok || at == s.wheel.armed {
		return
	}
	s.wheel.armed = at
	timer.Reset(time.Until(s.engine.timeOf(at)))
}

func (s *shard) onTimer() {
	s.now = time.Now()
	s.wheel.armed = 0
	s.wheel.turn(s.tick(), s.look)
	s.flushDirty()
}

// look does what is due for a connection.
func (s *shard) look(e entry) {
	c := s.slots[e.slot].conn
	if c == nil || c.generation != e.generation || c.state == gone || c.wake != e.at {
		return
	}
	now := s.tick()
	switch {
	case c.state >= closing:
		if now >= c.due {
			s.doom(c)
			return
		}
	case c.flags&flagBroken != 0:
		if now >= c.due {
			s.takeRest(c)
			s.doom(c)
			return
		}
	case c.flags&flagEnding != 0:
		if now >= c.due {
			s.conclude(c)
			return
		}
	case s.expired(c):
		s.closeNow(c, uint16(wire.CloseTokenExpired), "the token has expired; get a new one and reconnect")
		return
	default:
		s.ping(c, now)
	}
	s.reschedule(c)
}

func (s *shard) expired(c *Conn) bool {
	return c.expires != 0 && s.now.UnixMilli() >= s.closesAt(c)
}

// closesAt is when an expiring connection is closed. A token that was accepted
// late, within the leeway for clocks, still gets its grace.
func (s *shard) closesAt(c *Conn) int64 {
	return max(c.expires, c.CreatedAt().UnixMilli()) + s.engine.cfg.ExpiryGrace.Milliseconds()
}

// ping sends a ping when it is time, or ends a connection that did not answer.
func (s *shard) ping(c *Conn, now tick) {
	if c.due == 0 || now < c.due {
		return
	}
	cfg := &s.engine.cfg
	if c.flags&flagPinged != 0 && s.gettingOn(c) {
		c.due = now + ticks(cfg.PongTimeout)
		return
	}
	if c.flags&flagPinged != 0 {
		s.closeNow(c, uint16(wire.CloseNoPong), "no answer to a ping")
		return
	}
	if c.flags&flagPaused != 0 {
		c.due = now + ticks(cfg.PongTimeout) // unread by our choice: silence proves nothing
		return
	}
	frames := socket.AppendFrame(nil, socket.OpPing, nil)
	if c.options&optTextPing != 0 && c.state == open {
		frames = socket.AppendFrame(frames, socket.OpText, cfg.PingText)
	}
	s.settle(c)
	s.pushControl(c, frames)
	if c.state <= open {
		c.flags |= flagPinged | flagPingWaits
		c.due = now + ticks(cfg.PongTimeout)
		s.noteBusy(c)
	}
}

// busy is how far a peer's acknowledgements have come on their way to a ping.
type busy struct {
	acked uint64 // octets, at the last look
	until uint64 // what came before the ping
}

// noteBusy remembers, for a connection with data that goes out before the ping,
// where in the stream the ping is: the pong cannot come before that is read.
func (s *shard) noteBusy(c *Conn) {
	fd := c.descriptor()
	if fd < 0 {
		return
	}
	acked, pending := poll.Acknowledged(fd)
	if c.out != nil {
		pending += uint64(c.out.size)
	}
	if pending > 0 {
		s.busy[c] = busy{acked, acked + pending}
	}
}

// gettingOn reports whether a connection that owes a pong may have more time:
// its peer has acknowledged more of what came before the ping since the last
// look. Once it has all of that, it gets the time for the pong itself.
func (s *shard) gettingOn(c *Conn) bool {
	b, known := s.busy[c]
	if !known {
		return false
	}
	acked, _ := poll.Acknowledged(c.descriptor())
	if acked <= b.acked {
		return false
	}
	if acked >= b.until {
		delete(s.busy, c)
	} else {
		s.busy[c] = busy{acked, b.until}
	}
	return true
}

// descriptor returns the socket's descriptor, that below TLS included, or -1.
func (c *Conn) descriptor() int {
	if c.offLoop == nil {
		return int(c.fd)
	}
	if l, ok := c.offLoop.link.(*netLink); ok {
		return l.fd
	}
	return -1
}

// schedulePing starts the pings of a new connection at a random time of its
// first interval, so that those of many do not fall together.
func (s *shard) schedulePing(c *Conn) {
	interval := ticks(s.engine.cfg.PingInterval)
	if interval > 0 && c.options&optTransport == 0 {
		c.due = 1 + s.tick() + interval/2 + tick(rand.Uint32N(uint32(interval/2)+1))
	}
	s.reschedule(c)
}

// expire gives a closing connection until then.
func (s *shard) expire(c *Conn, d time.Duration) {
	c.due = s.tick() + ticks(d)
	s.reschedule(c)
}

// setExpiry changes when a connection's token expires.
func (s *shard) setExpiry(t *task) {
	t.conn.expires = t.arg.(int64)
	if t.conn.state <= open {
		s.reschedule(t.conn)
	}
}

// reschedule puts a connection on the wheel for when something is due next.
func (s *shard) reschedule(c *Conn) {
	at, ok := s.nextDue(c)
	if !ok || at == c.wake && at > s.tick() {
		return
	}
	c.wake = max(at, s.tick()+1) // the tick that is being looked at is over
	s.wheel.add(entry{slot: c.slot, generation: c.generation, at: c.wake})
}

func (s *shard) nextDue(c *Conn) (at tick, ok bool) {
	if c.state >= closing {
		return c.due, true
	}
	if c.due != 0 {
		at, ok = c.due, true
	}
	if c.expires != 0 {
		left := min(max(s.closesAt(c)-s.now.UnixMilli(), 0), farthest.Milliseconds())
		if due := s.tick() + ticks(time.Duration(left)*time.Millisecond); !ok || due < at {
			at, ok = due, true
		}
	}
	return at, ok
}
