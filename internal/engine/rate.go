package engine

import (
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// What counts as one message of the rate.
const (
	chargedSize      = 512 // bytes of a message, of what it inflates to
	chargedDeflated  = 32  // bytes of a message's compressed form: blocks that are made to be costly take 1.5 us a byte
	chargedFragments = 16  // frames of a message that goes on
)

// cost returns as how many messages of the rate a message of a size counts: as
// one for every chargedSize bytes that it has begun, and as one at least.
func cost(size int) int { return begun(size, chargedSize) }

// costDeflated is cost for a compressed message, by its size as it travels. What
// it inflates to is charged where that is more.
func costDeflated(size int) int { return begun(size, chargedDeflated) }

// begun returns how many units a size has begun, one at least.
func begun(size, unit int) int { return max(1, (size+unit-1)/unit) }

// costOf returns what is charged for what was read. A pong that the connection owes
// is free: a client has to send it (RFC 6455 section 5.5.2), whatever it has sent before.
func (c *Conn) costOf(ev socket.Event) float32 {
	fragments := float32(ev.Fragments) / chargedFragments
	switch {
	case ev.Kind == socket.None, ev.Kind == socket.Pong && c.flags&flagOwesPong != 0:
		return fragments
	case ev.Deflated:
		return fragments + float32(costDeflated(len(ev.Data)))
	}
	return fragments + float32(cost(len(ev.Data)))
}

// mayReceive takes a cost from the connection's allowance, which refills with
// time. Any allowance left pays for a message of any size: what is missing is a
// debt, and the next message finds no allowance until time has paid it.
func (s *shard) mayReceive(c *Conn, cost float32) bool {
	limits := s.engine.limits.Load()
	if limits.Rate <= 0 || cost == 0 {
		return true
	}
	if s.earn(c, limits); c.credit < 1 {
		s.readClock() // the turn may be a long one
		s.earn(c, limits)
	}
	if c.credit < 1 {
		s.abort(c, uint16(wire.CloseTooManyRequests), "too many messages; slow down and reconnect")
		return false
	}
	c.credit -= cost
	return true
}

// earn adds what a connection has earned since it was last credited, up to the
// burst. After a gap it may have as much more as it earned in the gap: what it
// sent meanwhile comes at once.
func (s *shard) earn(c *Conn, limits *Limits) {
	now := s.tick()
	perTick := limits.Rate * tickLength.Seconds()
	most := float64(limits.Burst) + perTick*float64(s.gap.grace(now))
	c.credit = float32(min(float64(c.credit)+perTick*float64(now-c.credited), most))
	c.credited = now
}

// charge takes from a connection's allowance what a message has turned out to
// cost once it was inflated.
func (s *shard) charge(t *task) { t.conn.credit -= float32(t.arg.(int)) }
