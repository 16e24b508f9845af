package engine

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWheelIsPunctual holds the wheel against a list: every entry comes up once,
// in the first turn at or after its tick.
func TestWheelIsPunctual(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWheel()
		pending := map[int32]tick{}
		var now tick
		for id := range rapid.Int32Range(1, 60).Draw(t, "steps") {
			at := now + 1 + tick(rapid.IntRange(0, 3*buckets).Draw(t, "ahead"))
			w.add(entry{slot: id, at: at})
			pending[id] = at
			first := at
			for _, other := range pending {
				first = min(first, other)
			}
			if next, ok := w.next(); !ok || next > first {
				t.Fatalf("at %d the next is said to be %d, %v; it is %d", now, next, ok, first)
			}
			now += tick(rapid.IntRange(1, buckets+buckets/2).Draw(t, "pause"))
			w.turn(now, func(e entry) {
				if at, ok := pending[e.slot]; !ok || at > now {
					t.Fatalf("entry %d for %d came up at %d", e.slot, at, now)
				}
				delete(pending, e.slot)
			})
			for id, at := range pending {
				if at <= now {
					t.Fatalf("entry %d for %d did not come up at %d", id, at, now)
				}
			}
		}
		if w.entries != len(pending) {
			t.Fatalf("%d entries are counted, %d are there", w.entries, len(pending))
		}
	})
}

// TestFarExpiryIsLookedAtSeldom: an expiry beyond what ticks can count must not
// have the loop look again and again.
func TestFarExpiryIsLookedAtSeldom(t *testing.T) {
	t.Parallel()
	e := newEngine(t, nil)
	wraps := time.Duration(1<<32) * tickLength // as far as ticks go
	for _, left := range []time.Duration{time.Minute, 24 * time.Hour, wraps, wraps + time.Second, 100 * 365 * 24 * time.Hour} {
		p := newPeer()
		e.Register(&p.Conn, Spec{User: "u", Handler: p, Transport: p, Expires: time.Now().Add(left)})
		p.Open([]byte("open"))
		wake := make(chan time.Duration)
		p.shard.post(task{run: func(s *shard, _ *task) { wake <- time.Until(e.timeOf(p.wake)) }})
		got, want := <-wake, min(left, farthest)
		if got > want+time.Second || got < want-time.Second {
			t.Errorf("with %v left the loop looks in %v, want %v", left, got, want)
		}
	}
}
