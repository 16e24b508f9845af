package tail

import (
	"testing"
	"time"

	"boundary-app.org/realtime/wire"
)

func TestBackoffGrowsToABound(t *testing.T) {
	t.Parallel()
	bounds := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second}
	longest := make([]time.Duration, len(bounds))
	for range 1000 {
		var b backoff
		for i, bound := range bounds {
			d := b.next(1006, 0, time.Second)
			if d < 0 || d > bound {
				t.Fatalf("attempt %d: %v, want at most %v", i, d, bound)
			}
			longest[i] = max(longest[i], d)
		}
	}
	for i, bound := range bounds { // by chance once in 10^45 runs
		if longest[i] < bound*9/10 {
			t.Errorf("attempt %d: never more than %v of %v: not full jitter", i, longest[i], bound)
		}
	}
}

func TestBackoffStaysBounded(t *testing.T) {
	t.Parallel()
	b := backoff{attempts: 1 << 40}
	if d := b.next(1006, 0, 0); d < 0 || d > longestDelay {
		t.Errorf("after very many attempts: %v", d)
	}
}

func TestBackoffListens(t *testing.T) {
	t.Parallel()
	var b backoff
	if d := b.next(wire.CloseDrain, 1234*time.Millisecond, time.Second); d != 1234*time.Millisecond {
		t.Errorf("the server asked for 1.234s, got %v", d)
	}
	if d := b.next(wire.CloseTooManyRequests, 0, time.Second); d < patience {
		t.Errorf("after too many requests: %v, want %v at least", d, patience)
	}
	b.attempts = 20
	if d := b.next(1006, 0, steady); d > firstDelay {
		t.Errorf("after a steady connection: %v, want %v at most", d, firstDelay)
	}
}
