package realtime

import "time"

// How far the times of issuers, tokens and nodes may be off, at the least. The
// clock of an issuer may be ahead by leastSkew, so that a user who signs in again
// within it gets a token that still counts as an old one. A token is accepted for
// a while after it has expired, by a node whose clock may be behind: leastLateness
// later no node accepts it.
const (
	leastSkew     = 30 * time.Second
	leastLateness = time.Hour
)

func (s *Service) skew() time.Duration { return max(leastSkew, s.opts.TokenLeeway) }

// forgotten returns when the revocation of a token may be forgotten that expires
// then; 0 where that is not known.
func (s *Service) forgotten(expires time.Time) (unixMilli int64) {
	if expires.IsZero() {
		return 0
	}
	return expires.Add(max(leastLateness, 2*s.opts.TokenLeeway)).UnixMilli()
}

// usualEnd returns when a revocation may be forgotten that does not say when its
// tokens expire.
func (s *Service) usualEnd(now time.Time) (unixMilli int64) {
	life := max(s.opts.TokenLifetime, time.Duration(s.longestLife.Load()))
	return s.forgotten(now.Add(life))
}

// noteLife notes the expiry of an identity that is accepted: it may say more
// about the life of tokens than Options.TokenLifetime.
func (s *Service) noteLife(expires, now time.Time) {
	life := int64(expires.Sub(now)) // of one that does not expire: negative
	for known := s.longestLife.Load(); life > known; known = s.longestLife.Load() {
		if s.longestLife.CompareAndSwap(known, life) {
			return
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
