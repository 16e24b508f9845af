package revocation

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Max is how many entries a List keeps. An entry takes some 200 bytes.
const Max = 100_000

// Expired entries are looked for now and then: often enough that they do not
// pile up, seldom enough that the time it takes does not matter. A list that is
// full has more reason to.
const (
	sweepEvery     = time.Minute
	sweepEveryFull = time.Second
)

// ErrFull says that a List has as many entries as it may have.
var ErrFull = errors.New("the list of revocations is full")

// List is the revocations in force. Safe for concurrent use; nothing blocks.
type List struct {
	leeway  time.Duration
	longest atomic.Int64 // lifetime of a token, in nanoseconds

	mu      sync.RWMutex
	entries map[Key]Entry // guarded by mu
	swept   time.Time     // guarded by mu
}

// NewList returns an empty list. Tokens are said to live for lifetime at most, and
// are verified with a leeway of the clocks.
func NewList(lifetime, leeway time.Duration) *List {
	l := &List{leeway: leeway}
	l.longest.Store(int64(lifetime))
	return l
}

// Add adds an entry. Where there is one for the same user or token, it is
// extended, never shortened. The error matches ErrFull.
func (l *List) Add(e Entry, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	full := l.full(now) // and what has expired is gone
	old, known := l.entries[e.Key]
	if full && !known {
		return fmt.Errorf("%w: it has %d entries, as many as a node keeps; try again when some have expired", ErrFull, Max)
	}
	if l.entries == nil {
		l.entries = map[Key]Entry{}
	}
	e.At, e.Until = Later(old.At, e.At), Later(old.Until, e.Until)
	l.entries[e.Key] = e
	return nil
}

// Full reports whether the list has no room for another entry.
func (l *List) Full(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.full(now)
}

// full makes room where it can. Called under mu.
func (l *List) full(now time.Time) bool {
	every := sweepEvery
	if len(l.entries) >= Max {
		every = sweepEveryFull
	}
	if now.Sub(l.swept) >= every {
		l.sweep(now)
	}
	return len(l.entries) >= Max
}

// sweep drops what has expired. Called under mu.
func (l *List) sweep(now time.Time) {
	l.swept = now
	maps.DeleteFunc(l.entries, func(_ Key, e Entry) bool { return !now.Before(e.Until) })
}

// Refuses reports whether the token is revoked at the time now.
func (l *List) Refuses(t Token, now time.Time) bool {
	if l.Empty() {
		return false
	}
	if e, found := l.find(Key{User, t.User}, now); found && e.Covers(t) {
		return true
	}
	_, found := l.find(t.Key(), now)
	return found
}

// find returns an entry that is in force.
func (l *List) find(k Key, now time.Time) (e Entry, found bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	e, found = l.entries[k]
	return e, found && now.Before(e.Until)
}

// Empty reports whether there is no entry: then every token passes.
func (l *List) Empty() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.entries) == 0
}

// Len returns the number of entries in force.
func (l *List) Len(now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	return len(l.entries)
}
