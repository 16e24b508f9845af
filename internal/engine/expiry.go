package engine

import (
	"time"
)

// A token's time is on the wall clock, which is set: by an hour, where it was
// wrong. So it is read once, when the token was accepted, and what is left of the
// token's life is waited for on the monotonic clock: no step of the wall clock
// ends a connection, and none lets it live on.

// farthest is how far ahead an expiry is put on the wheel: ticks are few.
const farthest = time.Hour

// maxMilli is the end of the year 9999: sums with it do not overflow.
const maxMilli = 253_402_300_799_000

// deadline returns when a connection is to be closed whose token expires at a
// time, in milliseconds since the engine started; 0 is never. A token that was
// accepted late, within the leeway for clocks, still gets its grace.
func (e *Engine) deadline(c *Conn, expires time.Time) int64 {
	if expires.IsZero() {
		return 0
	}
	left := max(min(expires.UnixMilli(), maxMilli), -maxMilli) - e.wall().UnixMilli()
	at := max(e.milli(time.Now())+left, e.milli(c.CreatedAt()))
	return max(at+e.cfg.ExpiryGrace.Milliseconds(), 1)
}

// milli returns the milliseconds since the start.
func (e *Engine) milli(t time.Time) int64 { return t.Sub(e.start).Milliseconds() }

// SetExpiry changes when the connection is closed as expired; zero is never.
func (c *Conn) SetExpiry(t time.Time) {
	c.shard.post(task{run: (*shard).setExpiry, conn: c, arg: c.shard.engine.deadline(c, t)})
}

func (s *shard) setExpiry(t *task) {
	t.conn.expires = t.arg.(int64)
	if t.conn.state.takesMessages() {
		s.reschedule(t.conn)
	}
}

// untilExpiry returns the time until a connection that expires is to be looked at.
func (s *shard) untilExpiry(c *Conn) time.Duration {
	left := min(max(c.expires-s.engine.milli(s.now), 0), farthest.Milliseconds())
	return time.Duration(left) * time.Millisecond
}

func (s *shard) expired(c *Conn) bool {
	return c.expires != 0 && s.engine.milli(s.now) >= c.expires
}
