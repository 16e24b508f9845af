package realtime

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/wire"
)

// attempt is a client that wants to connect, as far as its admission has come. Every
// client is admitted by the functions of this file, over whatever it comes: its
// origin, the limits, its credential, the identity, revocations, and after it is
// registered revocations again.
type attempt struct {
	address     netip.Addr // not valid: it has none
	clientKey   string     // by which connections of its address are counted; empty: they are not
	subprotocol bool       // it speaks boundary.realtime.v1
	identity    *Identity  // nil until its token was accepted
}

// admitRequest decides whether the client of a request may connect. When it returns
// nil and a has no identity, the token follows as the first message.
func (e *endpoint) admitRequest(r *http.Request, a *attempt) *refusal {
	if foreign := e.origins.Check(r); foreign != nil {
		return originRefusal(foreign)
	}
	if refused := e.checkLimits(a); refused != nil {
		return refused
	}
	token, follows, refused := e.credential(r, a.subprotocol)
	if refused != nil || follows {
		return refused
	}
	return e.admitToken(r.Context(), a, token)
}

// checkLimits refuses a client that is one too many before its token is looked at.
func (e *endpoint) checkLimits(a *attempt) *refusal {
	if err := e.service.engine.CheckLimits(a.clientKey, ""); err != nil {
		return limitRefusal(err)
	}
	return nil
}

// admitToken gives a the identity of a token, if it may connect.
func (e *endpoint) admitToken(ctx context.Context, a *attempt, token string) *refusal {
	id, err := e.verify(ctx, token)
	if err != nil {
		return e.refuseToken(err)
	}
	return e.admitIdentity(a, id)
}

// refuseToken returns the refusal of a token, and logs what is the operator's fault.
func (e *endpoint) refuseToken(err error) *refusal {
	refused := tokenRefusal(err, e.opts.Require)
	if refused.reason == reasonInternal {
		e.service.peers.Of(kindVerifier).Error("a token could not be verified", "error", err)
	}
	return refused
}

// admitIdentity gives a an identity, if it may connect.
func (e *endpoint) admitIdentity(a *attempt, id *Identity) *refusal {
	err := e.checkIdentity(id)
	switch {
	case errors.Is(err, ErrInvalidTarget):
		return e.refuseToken(err) // the user id is not fit for a log
	case err != nil:
		return e.refuseToken(err).of(id)
	}
	if err := e.service.engine.CheckLimits("", id.UserID); err != nil {
		return limitRefusal(err).of(id)
	}
	a.identity = id
	return nil
}

// register makes an admitted client a connection, runs OnOpen and sends $connected.
// It returns nil and an error when the client cannot be registered, and the
// connection and an error when it was closed at once: the error matches the one of
// OnOpen that refused it, or ErrRevoked.
func (e *endpoint) register(ctx context.Context, a attempt, spec engine.Spec) (*Conn, error) {
	s, who := e.service, pack(a.identity)
	c := &Conn{endpoint: e}
	c.who.Store(&who)
	spec.User, spec.Roles, spec.Expires = who.user(), who.roles(), a.identity.ExpiresAt
	spec.Source, spec.Handler = a.clientKey, (*clientHandler)(c)
	if err := s.life.admit(func() error { return s.engine.Register(&c.core, spec) }); err != nil {
		return nil, err
	}
	defer s.life.opening.Done()
	c.closeIfRevoked(a.identity)
	defer func() { // also when OnOpen ends its goroutine
		s.known()
		c.core.Open(c.connected(a.identity))
	}()
	if err := e.onOpen(ctx, c); err != nil {
		c.refuseOpened(a, err, spec.Transport != nil)
		return c, err
	}
	if c.closeIfRevoked(a.identity) {
		return c, ErrRevoked
	}
	return c, nil
}

// closeIfRevoked closes the connection when the token of its identity was revoked
// since it was checked, and reports whether it was. It is called once the token is
// the connection's: a revocation is put on the list first and then looks for
// connections, so that one of the two finds the other.
func (c *Conn) closeIfRevoked(id *Identity) bool {
	if !c.endpoint.service.isRevoked(id) {
		return false
	}
	c.expel(defaultRevoked)
	return true
}

// refuseOpened closes a connection that OnOpen has refused with err, and reports the
// refusal: what its client has sent is not handed to the application any more. Of a
// transport's connection the caller of Connect gets the error, and the log nothing.
func (c *Conn) refuseOpened(a attempt, err error, transport bool) {
	s := c.endpoint.service
	refused := refusedBy(err)
	code := refused.Code
	if !code.Valid() {
		s.peers.Of(kindOpen).Error("OnOpen refused a connection with a code that must not be sent; use 4000-4999",
			"connection", c.ID(), "code", int(code))
		code = CloseInternalError
	}
	if transport {
		s.metrics.Refusals.WithLabelValues(reasonApplication).Inc()
	} else {
		s.report(a, refuse(outcome{code: code}, reasonApplication, refused.Reason).because(err.Error()).of(a.identity),
			slog.Int("code", int(code)))
	}
	c.core.CloseNow(uint16(code), refused.Reason)
}

// verify turns a token into an identity. The texts of an error never hold the token.
func (e *endpoint) verify(ctx context.Context, token string) (id *Identity, err error) {
	verifier := e.service.opts.Verifier
	if verifier == nil {
		return nil, errNoVerifier
	}
	verify := func() {
		defer hidePanic(token)
		if id, err = verifier.Verify(ctx, token); err != nil {
			_ = err.Error() // of a nil pointer it panics: here, where the panic is caught
		}
	}
	if e.call("Verifier", verify) {
		return nil, errPanicked
	}
	if err != nil {
		return nil, verifierError{err, token}
	}
	if id == nil {
		return nil, errors.New("realtime: the Verifier returned no identity")
	}
	return id, nil
}

var errNoVerifier = errors.New("realtime: no Verifier is configured: set Options.Verifier")

// checkIdentity decides whether an identity may connect, with the text of R14.
func (e *endpoint) checkIdentity(id *Identity) error {
	if err := wire.CheckTarget("user id", id.UserID); err != nil {
		return err
	}
	for _, role := range id.Roles {
		if err := wire.CheckTarget("role", role); err != nil {
			return err
		}
	}
	if e.service.isRevoked(id) {
		return ErrRevoked
	}
	// The verifier has judged the expiry, with its leeway; only rights are left.
	if err := e.opts.Require.Check(id, time.Time{}); err != nil {
		return err
	}
	e.service.revoked.ObserveLifetime(id.ExpiresAt, time.Now())
	return nil
}
