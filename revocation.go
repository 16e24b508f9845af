package realtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/revocation"
	"boundary-app.org/realtime/wire"
)

// Revocation says which tokens no longer count. Exactly one of User, Connection
// and TokenID is set.
type Revocation struct {
	// User revokes all tokens of a user that were issued (iat) until now, and
	// those that do not say when. The clocks of issuer and service may be 30 s
	// apart, so that a user who signs in anew within 30 s has to do so again.
	User string
	// Connection revokes the token that a connection was made with: by its id
	// (jti), or where it has none by everything that its identity says, which a
	// Verifier of an application's own has to say in the same way each time.
	Connection string
	// TokenID revokes the token with this id (jti).
	TokenID string

	// Until is when the revocation may be forgotten, since the tokens have
	// expired. Default: after Options.TokenLifetime, or when the connection's
	// token has expired, whichever is later.
	Until time.Time
	// Reason is the text of the close frame. Default: "revoked".
	Reason string
}

// Errors of Revoke and of revoked tokens.
var (
	// ErrInvalidRevocation matches a Revocation that cannot be used.
	ErrInvalidRevocation = errors.New("invalid revocation")
	// ErrTooManyRevocations says that the service remembers as many revocations
	// as it may: 100,000.
	ErrTooManyRevocations = revocation.ErrFull
	// ErrRevoked is the refusal of a revoked token. It matches ErrUnauthorized.
	ErrRevoked = fmt.Errorf("%w: the token was revoked", auth.ErrUnauthorized)
)

// defaultRevoked is what a client is told where the application does not say more.
const defaultRevoked = "revoked"

// lateness is more than any leeway with which tokens are accepted after they
// have expired.
const lateness = time.Hour

// Revoke closes the connections whose tokens are revoked with 4503, on all nodes,
// tells how many there were, and keeps them out: until the tokens have expired,
// whoever connects with one is refused with 401, or 4500. Repeating a revocation
// extends it. It does not wait for sockets that cannot keep up.
//
// Nodes keep revocations in memory: one that starts anew has forgotten them. Where
// a connection is on another node, its token reaches further nodes a moment after
// Revoke has returned; what was connected with it there is closed then, and not
// counted.
//
// The error matches ErrInvalidRevocation or ErrInvalidTarget when the call is at
// fault, and ErrTooManyRevocations when nothing was done for want of room. After
// any other error a part of the nodes may know of it: repeat the call.
func (s *Service) Revoke(ctx context.Context, r Revocation) (Receipt, error) {
	receipt, err := s.revoke(ctx, r, time.Now())
	if err != nil {
		return Receipt{}, fmt.Errorf("realtime: revoke: %w", err)
	}
	return receipt, nil
}

func (s *Service) revoke(ctx context.Context, r Revocation, now time.Time) (Receipt, error) {
	if err := r.check(now); err != nil {
		return Receipt{}, err
	}
	o, to := s.orderOf(r, now)
	if err := s.remember(o, now); err != nil {
		return Receipt{}, err
	}
	receipt, err := s.hand(ctx, o.envelope(to))
	if err != nil {
		return Receipt{}, err
	}
	s.log.Info("tokens were revoked", "by", r.by(), "connections", receipt.Recipients)
	return receipt, nil
}

func (r Revocation) check(now time.Time) error {
	given := 0
	for _, target := range []struct{ what, name string }{
		{"user id", r.User}, {"connection id", r.Connection}, {"token id", r.TokenID},
	} {
		if target.name == "" {
			continue
		}
		given++
		if err := wire.CheckTarget(target.what, target.name); err != nil {
			return err
		}
	}
	switch {
	case given != 1:
		return fmt.Errorf("%w: name one of user, connection and token id; it names %d", ErrInvalidRevocation, given)
	case !r.Until.IsZero() && !r.Until.After(now):
		return fmt.Errorf("%w: it would end in the past; leave its end out, or give a later time", ErrInvalidRevocation)
	}
	return nil
}

// by names the kind of a revocation in logs.
func (r Revocation) by() string {
	switch {
	case r.User != "":
		return "user"
	case r.Connection != "":
		return "connection"
	}
	return "token id"
}

// revocationOrder is the body of a Revoke envelope. To Everyone it is whole. To
// a connection it lacks what only the connection's node knows: the token.
type revocationOrder struct {
	Kind   revocation.Kind `json:"kind,omitempty"`
	Value  string          `json:"value,omitempty"`
	User   string          `json:"user,omitempty"` // whose the token is, where that is known
	At     int64           `json:"at"`             // as all times here: Unix milliseconds
	Until  int64           `json:"until"`
	Firm   bool            `json:"firm,omitempty"` // Until was asked for
	Reason string          `json:"reason"`
}

func (s *Service) orderOf(r Revocation, now time.Time) (o revocationOrder, to Address) {
	o = revocationOrder{At: now.UnixMilli(), Until: r.Until.UnixMilli(), Firm: true, Reason: r.Reason}
	if r.Until.IsZero() {
		o.Until, o.Firm = now.Add(s.opts.TokenLifetime).UnixMilli(), false
	}
	setDefault(&o.Reason, defaultRevoked)
	switch {
	case r.User != "":
		o.Kind, o.Value, o.User = revocation.User, r.User, r.User
	case r.TokenID != "":
		o.Kind, o.Value = revocation.TokenID, r.TokenID
	default:
		return o, Connection(r.Connection)
	}
	return o, Everyone()
}

// of completes an order with the token of the connection it is about.
func (o revocationOrder) of(c *Conn) revocationOrder {
	t := c.identity().token()
	o.Kind, o.Value, o.User = revocation.TokenID, t.ID, t.User
	if t.ID == "" {
		o.Kind, o.Value = revocation.Digest, t.Digest()
	}
	if expires := c.Identity().ExpiresAt; !o.Firm && !expires.IsZero() {
		o.Until = max(o.Until, expires.Add(lateness).UnixMilli())
	}
	return o
}

func (o revocationOrder) envelope(to Address) bus.Envelope {
	body, _ := json.Marshal(o) // texts and numbers always encode
	return bus.Envelope{Route: to.route, Target: to.target, Op: bus.Revoke, Body: body}
}

func (o revocationOrder) entry() revocation.Entry {
	return revocation.Entry{Kind: o.Kind, Value: o.Value, At: time.UnixMilli(o.At), Until: time.UnixMilli(o.Until)}
}

// remember adds an order to the list. One that is about a connection is added by
// its node, but not begun where there is no room already.
func (s *Service) remember(o revocationOrder, now time.Time) error {
	if o.Kind != "" {
		return s.revoked.Add(o.entry(), now)
	}
	if s.revoked.Full(now) {
		return ErrTooManyRevocations
	}
	return nil
}

// deliverRevocation first remembers, then looks for connections. Who connects
// registers first, then looks at the list: nobody slips between.
func (s *Service) deliverRevocation(e bus.Envelope) int {
	var o revocationOrder
	if err := json.Unmarshal(e.Body, &o); err != nil {
		s.log.Warn("a revocation cannot be read; are all nodes of the same version?", "error", err)
		return 0
	}
	if e.Route == bus.Connection {
		c := s.Connection(e.Target)
		if c == nil {
			return 0
		}
		o = o.of(c)
		defer s.tell(o) // last: what comes back must not take the connections from the count
	}
	if err := s.remember(o, time.Now()); err != nil {
		s.log.Error("a revoked token can come back to this node; give tokens a shorter life, or revoke less", "error", err)
	}
	return s.expel(o)
}

// expel closes the connections whose tokens an order revokes.
func (s *Service) expel(o revocationOrder) (n int) {
	entry := o.entry()
	look := func(c *engine.Conn) bool {
		if entry.Covers(owner(c).identity().token()) && c.Close(uint16(wire.CloseKicked), o.Reason) {
			n++
		}
		return true
	}
	if o.User == "" {
		s.engine.All(look)
		return n
	}
	for _, c := range s.engine.Members(bus.User, o.User) {
		look(c)
	}
	return n
}

// tellTime is how long the bus may take to pass on which token was revoked.
const tellTime = 10 * time.Second

// tell makes an order known to all nodes that delivery has completed. Delivery
// itself must not publish; Shutdown waits for this.
func (s *Service) tell(o revocationOrder) {
	s.telling.Go(func() {
		ctx, cancel := context.WithTimeout(s.after, tellTime)
		defer cancel()
		if _, err := s.hand(ctx, o.envelope(Everyone())); err != nil {
			s.log.Error("other nodes do not know of a revoked token; revoke it again by its id or user", "error", err)
		}
	})
}

// isRevoked reports whether an identity's token is one that was revoked.
func (s *Service) isRevoked(id *Identity) bool {
	return !s.revoked.Empty() && s.revoked.Refuses(pack(id).token(), time.Now())
}

func (s *Service) revocationCount() int { return s.revoked.Len(time.Now()) }
