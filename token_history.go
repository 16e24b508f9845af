package realtime

import (
	"fmt"
	"slices"
	"time"

	"boundary-app.org/realtime/internal/revocation"
	"boundary-app.org/realtime/wire"
)

// maxEarlier is how many tokens that have not expired a connection may have used
// besides its own.
const maxEarlier = 64

// usedToken is what is kept of a token that a connection has used: who revokes the
// connection means all of them.
type usedToken struct {
	revocation.Key
	expires time.Time // zero: never
}

func (p packed) used() usedToken { return usedToken{p.token().Key(), p.expires()} }

// tokens returns the token of a connection, first, and those it was refreshed from
// that had not expired then.
func (c *Conn) tokens() []usedToken {
	all := []usedToken{c.identity().used()} // before the others: replace stores them first
	if earlier := c.earlier.Load(); earlier != nil {
		all = append(all, *earlier...)
	}
	return all
}

// lastExpiry returns when the last of a connection's tokens expires that does.
func (c *Conn) lastExpiry() (last time.Time) {
	for _, t := range c.tokens() {
		last = revocation.Later(last, t.expires)
	}
	return last
}

// replace puts a newer token in the place of the connection's. One goroutine of
// each connection calls it. The error is the client's, or ErrClosed: who revokes a
// connection closes it first, then looks at its tokens, so that a token which came
// too late to be seen is not taken either.
func (c *Conn) replace(who packed, now time.Time) error {
	next, expired := who.used().Key, now.Add(-c.endpoint.service.revoked.Tolerance())
	earlier := slices.DeleteFunc(c.tokens(), func(t usedToken) bool {
		return t.Key == next || !t.expires.IsZero() && !t.expires.After(expired)
	})
	if len(earlier) > maxEarlier {
		return &wire.CommandError{Code: wire.CodeForbidden, Message: fmt.Sprintf(
			"%d earlier tokens of the connection have not expired, as many as may be; reconnect with the new one", maxEarlier)}
	}
	c.earlier.Store(&earlier)
	c.who.Store(&who)
	if c.core.Ended() {
		return fmt.Errorf("realtime: refresh: %w", ErrClosed)
	}
	return nil
}
