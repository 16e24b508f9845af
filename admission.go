package realtime

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"boundary-app.org/realtime/auth"
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
		return e.tokenRefusal(err)
	}
	return e.admitIdentity(a, id)
}

// admitIdentity gives a an identity, if it may connect.
func (e *endpoint) admitIdentity(a *attempt, id *Identity) *refusal {
	err := e.checkIdentity(id)
	switch {
	case errors.Is(err, ErrInvalidTarget):
		return e.tokenRefusal(err) // the user id is not fit for a log
	case err != nil:
		return e.tokenRefusal(err).of(id)
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

// credential finds the token. It reports that the token follows, as the first
// message, when the request has none and need not have one. Typed says that the
// client speaks the subprotocol.
func (e *endpoint) credential(r *http.Request, typed bool) (token string, follows bool, refused *refusal) {
	if e.service.life.draining.Load() {
		return "", false, drainRefusal(true)
	}
	token, present, err := auth.FromRequest(r, e.opts.TokenParam, e.opts.TokenSources...)
	switch {
	case err != nil:
		refused := refuse(badRequest, string(auth.ReasonOf(err)), err.Error())
		if errors.Is(err, auth.ErrTwoCredentials) {
			refused.because("more than one credential; where a proxy adds one of its own, list the places that count in token_sources (TokenSources)")
		}
		return "", false, refused
	case !present && e.counts(TokenInSubprotocol) && offersTokenAlone(r):
		return "", false, refuse(badRequest, "missing", tokenAlone)
	case !present && !e.opts.TokenInMessage:
		return "", false, e.missingToken(typed)
	}
	return token, !present, nil
}

const tokenAlone = "a token was offered without the subprotocol that it goes with; offer both: boundary.realtime.v1, bearer.<token>"

// offersTokenAlone reports whether a request has a token among its subprotocols
// and not boundary.realtime.v1, without which that place does not count. Its client
// would give up on an upgrade, since none of its subprotocols was answered.
func offersTokenAlone(r *http.Request) bool {
	found := false
	for _, value := range r.Header["Sec-Websocket-Protocol"] {
		for entry := range strings.SplitSeq(value, ",") {
			entry = strings.Trim(entry, " \t")
			if entry == wire.Subprotocol {
				return false
			}
			found = found || strings.HasPrefix(entry, wire.BearerPrefix)
		}
	}
	return found
}

// counts reports whether a token may stand in a place.
func (e *endpoint) counts(source TokenSource) bool {
	return len(e.opts.TokenSources) == 0 || slices.Contains(e.opts.TokenSources, source)
}

// missingToken says where a token belongs. Plain clients know the text for the
// query as it is; others, and the log, learn the other places too.
func (e *endpoint) missingToken(typed bool) *refusal {
	text, places := "Missing token: send the header Authorization: Bearer <token>", ""
	switch {
	case e.counts(TokenInQuery):
		text, places = "Missing "+e.opts.TokenParam+" query parameter", e.otherPlaces()
	case e.counts(TokenInSubprotocol):
		text = "Missing token: offer the subprotocols boundary.realtime.v1, bearer.<token>"
	}
	told := text
	if typed {
		told += places
	}
	return refuse(badRequest, "missing", told).because(text + places)
}

// otherPlaces names the places of a token beside the query.
func (e *endpoint) otherPlaces() (text string) {
	if e.counts(TokenInHeader) {
		text += ", or header Authorization: Bearer <token>"
	}
	if e.counts(TokenInSubprotocol) {
		text += ", or subprotocol bearer.<token>"
	}
	return text
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
	e.service.noteLife(id.ExpiresAt, time.Now())
	return nil
}
