package engine

import (
	"bytes"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"boundary-app.org/realtime/bus"
)

// TestWheelIsPunctual holds the wheel against a list: every entry comes up once,
// in the first turn at or after its tick, also where ticks begin again at 0, and
// after times without entries that are longer than ticks can be compared.
func TestWheelIsPunctual(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := newWheel()
		pending := map[int32]tick{}
		now := tick(rapid.SampledFrom([]int64{0, 1<<31 - 5*buckets, 1<<32 - 5*buckets}).Draw(t, "start"))
		for id := range rapid.Int32Range(1, 60).Draw(t, "steps") {
			if len(pending) == 0 && rapid.IntRange(0, 4).Draw(t, "idle") == 0 {
				now += tick(rapid.Uint32().Draw(t, "for"))
			}
			at := now + 1 + tick(rapid.IntRange(0, 3*buckets).Draw(t, "ahead"))
			w.add(entry{slot: id, at: at}, now)
			pending[id] = at
			first := at
			for _, other := range pending {
				if other.before(first) {
					first = other
				}
			}
			if next, ok := w.next(); !ok || first.before(next) {
				t.Fatalf("at %d the next is said to be %d, %v; it is %d", now, next, ok, first)
			}
			now += tick(rapid.IntRange(1, buckets+buckets/2).Draw(t, "pause"))
			w.turn(now, func(e entry) {
				if at, ok := pending[e.slot]; !ok || now.before(at) {
					t.Fatalf("entry %d for %d came up at %d", e.slot, at, now)
				}
				delete(pending, e.slot)
			})
			for id, at := range pending {
				if !now.before(at) {
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
	const wraps = 1 << 32 * tickLength // as far as ticks go
	now := time.Now()
	for _, expires := range []time.Time{
		now.Add(time.Minute), now.Add(24 * time.Hour), now.Add(wraps), now.Add(wraps + time.Second),
		time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(253_402_300_799, 0), time.UnixMilli(math.MaxInt64),
	} {
		p := newPeer()
		e.Register(&p.Conn, Spec{User: "u", Handler: p, Transport: p, Expires: expires})
		p.Open([]byte("open"))
		wake := make(chan time.Duration)
		p.shard.post(task{run: func(s *shard, _ *task) { wake <- time.Until(e.timeOf(p.wake, s.now)) }})
		got, want := <-wake, min(time.Until(expires), farthest)
		if got > want+time.Second || got < want-time.Second {
			t.Errorf("with an expiry at %v the loop looks in %v, want %v", expires, got, want)
		}
	}
}

// TestNoPongUnderTraffic has a client read all that comes, its pings included,
// and answer none: what it acknowledges after a ping does not excuse it.
func TestNoPongUnderTraffic(t *testing.T) {
	t.Parallel()
	for _, way := range paths {
		if way.name == "transport" {
			continue // it has no pings
		}
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, func(c *Config) { c.PingInterval, c.PongTimeout = 100*time.Millisecond, 200*time.Millisecond })
			p := newPeer()
			register(t, e, way, p, "u")
			ticker := time.NewTicker(5 * time.Millisecond)
			defer ticker.Stop()
			text := bytes.Repeat([]byte("x"), 2000)
			for range 2000 {
				select {
				case end := <-p.ended:
					if end.code != 4012 {
						t.Errorf("closed with %d, want 4012", end.code)
					}
					return
				case <-ticker.C:
					e.Send(bus.Everyone, "", text)
				}
			}
			t.Error("it is not closed")
		})
	}
}
