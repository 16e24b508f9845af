package engine

import "time"

const (
	// lateTimer is how late a timer may fire for the silence of a client to count.
	lateTimer = 100 * time.Millisecond
	// clockInterval is how often the loop looks at the clock, at least, while it has
	// connections: so it learns that it did not run. What piles up in less time is for
	// the burst to cover, as what a slow network brings at once.
	clockInterval = time.Second
	// catchUpTime is how long what piled up in a gap may take to be read, beside the
	// length of the gap itself.
	catchUpTime = 10 * time.Second
)

// gap is a time in which the loop did not run although it was to: the process was
// stopped, or had no processor. What clients sent meanwhile is read at its end.
type gap struct{ from, to tick }

// grace returns the length of the gap while what piled up in it may still come, then 0.
func (g gap) grace(now tick) tick {
	length := g.to - g.from
	if now-g.to > length+ticks(catchUpTime) {
		return 0
	}
	return length
}

// readClock reads the time, and notes a gap when the alarm has long been due and
// was not at the last look. A short gap does not hide a long one.
func (s *shard) readClock() {
	before := s.tick()
	s.now = time.Now()
	now, late := s.tick(), s.wheel.alarm+ticks(lateTimer)
	if s.wheel.armed && before.before(late) && late.before(now) && now-before > s.gap.grace(now) {
		s.gap = gap{before, now}
	}
}

// setTimer has the timer fire when the wheel next has something to do, or the clock
// is to be read.
func (s *shard) setTimer(timer *time.Timer) {
	at, ok := s.wheel.next()
	if look := s.in(clockInterval); len(s.slots) > len(s.free) && (!ok || look.before(at)) {
		at, ok = look, true
	}
	if !ok || s.wheel.armed && !at.before(s.wheel.alarm) {
		return
	}
	s.wheel.alarm, s.wheel.armed = at, true
	timer.Reset(time.Until(s.engine.timeOf(at, s.now)))
}
