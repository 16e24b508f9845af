package tail

import (
	"math/rand/v2"
	"time"

	"boundary-app.org/realtime/wire"
)

const (
	firstDelay   = 500 * time.Millisecond
	longestDelay = 30 * time.Second
	steady       = 10 * time.Second // a connection that lived so long starts the delays afresh
	patience     = 5 * time.Second  // after too many requests
)

// backoff says how long to wait before the next attempt.
type backoff struct {
	attempts int
}

// next returns the delay after a connection ended with code, having lived for
// so long. What the server asked for counts; else it is a random part of a
// bound that doubles, so that clients that were cut off together do not come
// back together.
func (b *backoff) next(code wire.CloseCode, asked, lived time.Duration) time.Duration {
	if lived >= steady {
		b.attempts = 0
	}
	bound := min(firstDelay<<min(b.attempts, 10), longestDelay)
	b.attempts++
	delay := asked
	if delay <= 0 {
		delay = rand.N(bound)
	}
	if code == wire.CloseTooManyRequests {
		delay = max(delay, patience)
	}
	return delay
}
