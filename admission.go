package realtime

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/origin"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// attempt is a request to connect, as far as it has been looked at.
type attempt struct {
	handshake socket.Handshake // zero: the request is none
	client    netip.Addr       // not valid: it has none
	address   string           // what connections from there are counted by
	id        *Identity        // nil: the token follows, as the first message
}

// spec describes the connection over conn to the engine.
func (a attempt) spec(conn net.Conn) engine.Spec {
	return engine.Spec{Conn: conn, Deflate: a.handshake.Deflate, TextPing: a.handshake.Protocol != "", Source: a.address}
}

// admit decides whether a request may become a connection: handshake, origin,
// limits, credential, identity, revocation. A request without an Upgrade header
// learns last that it is no handshake.
func (e *endpoint) admit(r *http.Request) (a attempt, why *refusal) {
	a.client = origin.Proxies(e.opts.TrustedProxies).Client(r)
	a.address = origin.CountedBy(a.client)
	handshake, invalid := e.checkHandshake(r)
	if invalid != nil && (r.Header.Get("Upgrade") != "" || r.Method != http.MethodGet) {
		return a, invalid
	}
	if foreign := e.pages.Check(r); foreign != nil {
		return a, originRefusal(foreign)
	}
	a.handshake = handshake
	if err := e.service.engine.CheckLimits(a.address, ""); err != nil {
		return a, limitRefusal(err)
	}
	token, follows, why := e.credential(r, handshake.Protocol != "")
	if why == nil && !follows {
		a.id, why = e.identify(r.Context(), token)
	}
	switch {
	case why != nil:
		return a, why
	case invalid != nil:
		return a, invalid
	case follows:
		a.handshake.Deflate = false // nothing is inflated for a client without a token
		return a, nil
	}
	if err := e.service.engine.CheckLimits(a.address, a.id.UserID); err != nil {
		return a, limitRefusal(err).of(a.id)
	}
	return a, nil
}

func (e *endpoint) checkHandshake(r *http.Request) (socket.Handshake, *refusal) {
	handshake, err := socket.CheckHandshake(r, socket.HandshakeOptions{
		Protocols: []string{wire.Subprotocol}, Deflate: e.opts.Compression,
	})
	var invalid *socket.Refusal
	if errors.As(err, &invalid) {
		return handshake, &refusal{reason: "handshake", answer: invalid, detail: invalid.Text}
	}
	return handshake, nil
}

// credential finds the token. It reports that the token follows, as the first
// message, when the request has none and need not have one. Typed says that the
// client speaks the subprotocol.
func (e *endpoint) credential(r *http.Request, typed bool) (token string, follows bool, why *refusal) {
	if e.service.draining.Load() {
		return "", false, drainedRequest()
	}
	token, present, err := auth.FromRequest(r, e.opts.TokenParam, e.opts.TokenSources...)
	switch {
	case err != nil:
		why := refuse(string(auth.ReasonOf(err)), http.StatusBadRequest, wire.CloseBadRequest, err.Error())
		if errors.Is(err, auth.ErrTwoCredentials) {
			why.because("more than one credential; where a proxy adds one of its own, list the places that count in token_sources (TokenSources)")
		}
		return "", false, why
	case !present && e.counts(TokenInSubprotocol) && offersTokenAlone(r):
		return "", false, refuse("missing", http.StatusBadRequest, wire.CloseBadRequest, tokenAlone)
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
	return refuse("missing", http.StatusBadRequest, wire.CloseBadRequest, told).because(text + places)
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

// identify verifies a token. The texts of a refusal never hold it.
func (e *endpoint) identify(ctx context.Context, token string) (*Identity, *refusal) {
	id, err := e.verify(ctx, token)
	switch {
	case err == nil:
		return id, nil
	case id == nil, errors.Is(err, wire.ErrInvalidTarget):
		return nil, e.refusalOf(err)
	}
	return nil, e.refusalOf(err).of(id)
}

// verify turns a token into an identity that may connect. An identity that may not
// is returned with the error.
func (e *endpoint) verify(ctx context.Context, token string) (id *Identity, err error) {
	verifier := e.service.opts.Verifier
	if verifier == nil {
		return nil, errNoVerifier
	}
	verify := func() {
		defer hidePanic(token)
		id, err = verifier.Verify(ctx, token)
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
	return id, e.checkIdentity(id)
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
