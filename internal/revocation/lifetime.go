package revocation

import "time"

// The clocks of issuers and nodes differ. The clock of an issuer may be ahead by
// minTolerance, so that a user who signs in again within it gets a token that still
// counts as an old one. A token is accepted for a while after it has expired, by a
// node whose clock may be behind: minLateness later no node accepts it.
const (
	minTolerance = 30 * time.Second
	minLateness  = time.Hour
)

// Tolerance returns how far apart clocks may be.
func (l *List) Tolerance() time.Duration { return max(minTolerance, l.leeway) }

// ObserveLifetime notes the expiry of a token that is accepted now. A zero expiry
// is ignored.
func (l *List) ObserveLifetime(expires, now time.Time) {
	life := int64(expires.Sub(now)) // negative without an expiry
	for known := l.longest.Load(); life > known; known = l.longest.Load() {
		if l.longest.CompareAndSwap(known, life) {
			return
		}
	}
}

// Lifetime returns how long tokens live at most, as far as is known: as was
// configured, or as long as any that was accepted.
func (l *List) Lifetime() time.Duration { return time.Duration(l.longest.Load()) }

// DefaultUntil returns when a revocation may be forgotten that does not say when
// its tokens expire.
func (l *List) DefaultUntil(t Tokens, now time.Time) time.Time {
	return l.ExpiresAfter(Later(t.Expires, now.Add(max(t.Lifetime, l.Lifetime()))))
}

// ExpiresAfter returns when no node accepts a token any more that expires then.
func (l *List) ExpiresAfter(expires time.Time) time.Time {
	return expires.Add(max(minLateness, 2*l.leeway))
}

// Apply adds an entry for each key of a command. A user's tokens that were issued
// until now count as issued before it, as far as clocks may be apart. Every key for
// which there is room is added. The error matches ErrFull.
func (l *List) Apply(c Command, now time.Time) (err error) {
	e := Entry{At: Later(time.UnixMilli(c.At), now).Add(l.Tolerance()), Until: time.UnixMilli(c.Until)}
	for _, e.Key = range c.Keys {
		if full := l.Add(e, now); full != nil {
			err = full
		}
	}
	return err
}
