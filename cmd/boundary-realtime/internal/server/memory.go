package server

import (
	"context"
	"runtime/debug"
	"time"
)

// A burst of connects leaves memory behind that no idle connection needs: the
// HTTP server's goroutines and buffers. The runtime gives it back over many
// minutes; we do soon after the burst is over. It costs a full collection, so it is
// done seldom.
const (
	burstLeast  = 500 // connections
	calmTime    = 2 * time.Second
	releaseWait = 10 * time.Second
)

// releaseMemory gives memory back to the system after bursts, until ctx is done.
func releaseMemory(ctx context.Context, connections func() int) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var b burst
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if b.over(now, connections()) {
				debug.FreeOSMemory()
			}
		}
	}
}

// burst watches the number of connections.
type burst struct {
	settled  int // connections when memory was last released
	last     int // connections when it was last still
	calm     time.Time
	released time.Time
}

// over reports whether the number of connections has changed much since the
// last time over said so, and has been still for a while.
func (b *burst) over(now time.Time, connections int) bool {
	if distance(connections, b.last) > connections/100 {
		b.last, b.calm = connections, now
		return false
	}
	changed := distance(connections, b.settled)
	if changed < burstLeast || changed < b.settled/10 || now.Sub(b.calm) < calmTime || now.Sub(b.released) < releaseWait {
		return false
	}
	b.settled, b.released = connections, now
	return true
}

func distance(a, b int) int { return max(a-b, b-a) }
