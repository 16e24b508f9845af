package realtime

import (
	"encoding/json"
	"time"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/revocation"
	"boundary-app.org/realtime/wire"
)

// revocationOrder is the body of a Revoke envelope. To Everyone it is whole. To
// a connection it lacks what only the connection's node knows: its tokens.
type revocationOrder struct {
	Keys   []revocation.Key `json:"keys,omitempty"`
	User   string           `json:"user,omitempty"` // whose the tokens are, where that is known
	At     int64            `json:"at"`             // as all times here: Unix milliseconds
	Until  int64            `json:"until"`
	Firm   bool             `json:"firm,omitempty"`  // Until was asked for
	Again  bool             `json:"again,omitempty"` // all have had it; only Until is later
	Reason string           `json:"reason"`
}

func (s *Service) orderOf(r Revocation, now time.Time) (o revocationOrder, to Address) {
	o = revocationOrder{At: now.UnixMilli(), Until: s.usualEnd(now), Reason: r.Reason}
	if !r.Until.IsZero() {
		o.Until, o.Firm = s.forgotten(r.Until), true
	}
	setDefault(&o.Reason, defaultRevoked)
	switch {
	case r.User != "":
		o.Keys, o.User = []revocation.Key{{Kind: revocation.User, Value: r.User}}, r.User
	case r.TokenID != "":
		o.Keys = []revocation.Key{{Kind: revocation.TokenID, Value: r.TokenID}}
	default:
		return o, Connection(r.Connection)
	}
	return o, Everyone()
}

// of completes an order with the tokens of the connection it is about.
func (o revocationOrder) of(c *Conn) revocationOrder {
	o.User = c.UserID()
	for _, t := range c.tokens() {
		o.Keys = append(o.Keys, t.Key)
	}
	return o
}

func (o revocationOrder) envelope(to Address) bus.Envelope {
	body, _ := json.Marshal(o) // texts and numbers always encode
	return bus.Envelope{To: to.onBus(), Op: bus.Revoke, Body: body}
}

// names reports whether an order is about the token of a connection. A user's
// connections all are: that a token was issued late does not keep one open.
func (o revocationOrder) names(c *Conn) bool {
	token := c.identity().token()
	for _, key := range o.Keys {
		if key.Names(token) {
			return true
		}
	}
	return false
}

// begin is what the node that is asked does first. An order about a connection is
// remembered by the connection's node, but not begun where there is no room already.
func (s *Service) begin(o revocationOrder, now time.Time) error {
	if o.Keys == nil && s.revoked.Full(now) {
		return ErrTooManyRevocations
	}
	return s.remember(o, now)
}

// remember adds an order to the list. What was issued until this node has heard of
// it counts as issued before, as far as clocks may be apart.
func (s *Service) remember(o revocationOrder, now time.Time) (err error) {
	e := revocation.Entry{At: time.UnixMilli(o.At), Until: time.UnixMilli(o.Until)}
	if !o.Again && now.After(e.At) {
		e.At = now
	}
	e.At = e.At.Add(s.skew())
	for _, e.Key = range o.Keys {
		if full := s.revoked.Add(e, now); full != nil {
			err = full
		}
	}
	return err
}

// deliverRevocation carries an order out on this node and returns how many
// connections it has closed.
func (s *Service) deliverRevocation(e bus.Envelope) int {
	var o revocationOrder
	if err := json.Unmarshal(e.Body, &o); err != nil {
		s.log.Warn("a revocation cannot be read; are all nodes of the same version?", "error", err)
		return 0
	}
	if e.To.Route == bus.Connection {
		return s.revokeConnection(e.To.Target, o)
	}
	return s.carryOut(o)
}

// revokeConnection is for the node that has the connection. It closes it before it
// looks at its tokens: no refresh adds one from there on.
func (s *Service) revokeConnection(id string, o revocationOrder) int {
	c := s.Connection(id)
	if c == nil {
		return 0
	}
	c.expel(o.Reason)
	o = o.of(c)
	if !o.Firm { // the life of its tokens is known here
		o.Until = max(o.Until, s.usualEnd(time.Now()))
	}
	n := 1 + s.carryOut(o) // it counts also where it was just ending
	s.tell(o)              // last: what comes back must not take the connections from the count
	return n
}

// carryOut first remembers an order, then looks for connections. Who connects
// registers first, then looks at the list: nobody slips between. Where this node
// knows that the tokens live longer than the order, it tells the others.
func (s *Service) carryOut(o revocationOrder) int {
	now, told := time.Now(), o.Until
	if !o.Firm {
		o.Until = max(o.Until, s.usualEnd(now))
	}
	s.rememberOrLog(o, now)
	if o.Again {
		return 0
	}
	n, expires := s.expel(o)
	if latest := s.forgotten(expires); !o.Firm && latest > told {
		o.Until, o.Again = latest, true
		s.rememberOrLog(o, now)
		s.tell(o)
	}
	return n
}

func (s *Service) rememberOrLog(o revocationOrder, now time.Time) {
	if err := s.remember(o, now); err != nil {
		s.log.Error("a revoked token can come back to this node; give tokens a shorter life, or revoke less", "error", err)
	}
}

// expel closes the connections that an order is about, and returns how many there
// were, and when the last of their tokens expires.
func (s *Service) expel(o revocationOrder) (n int, expires time.Time) {
	look := func(core *engine.Conn) bool {
		if c := owner(core); o.names(c) {
			expires = later(expires, c.lastExpiry())
			if c.expel(o.Reason) {
				n++
			}
		}
		return true
	}
	if o.User == "" {
		s.engine.All(look)
		return n, expires
	}
	for _, c := range s.engine.Members(bus.User, o.User) {
		look(c)
	}
	return n, expires
}

// expel closes a connection whose token was revoked. What its client has sent and
// still waits for OnMessage is dropped.
func (c *Conn) expel(reason string) bool { return c.core.CloseNow(uint16(wire.CloseKicked), reason) }
