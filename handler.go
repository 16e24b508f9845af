package realtime

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/origin"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// Handler returns the WebSocket endpoint. It checks the request, the origin and
// the token before it upgrades, and answers what it refuses with an ordinary
// status and a text that says why; a client that offers the subprotocol
// boundary.realtime.v1 is upgraded and closed with a code instead, since a
// browser shows neither to JavaScript otherwise. ServeHTTP returns once OnOpen
// has; the connection keeps neither goroutine nor buffers of the HTTP server.
func (s *Service) Handler(opts HandlerOptions) http.Handler {
	e := s.endpoint(opts)
	pages, useless := origin.NewPages(opts.AllowedOrigins)
	if len(useless) > 0 {
		s.log.Warn("no browser has such an origin: write scheme, host and port alone, as https://app.example.com", "origins", useless)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.serve(w, r, pages) })
}

func (e *endpoint) serve(w http.ResponseWriter, r *http.Request, pages origin.Pages) {
	handshake, refused := e.handshake(r)
	if refused != nil && r.Header.Get("Upgrade") != "" || r.Method != http.MethodGet {
		e.refuse(w, handshake, refusal{reason: "handshake", answer: refused})
		return
	}
	if !pages.Allow(r) {
		e.refuse(w, socket.Handshake{}, refuse("origin", http.StatusForbidden, 0, "this origin may not connect"))
		return
	}
	source := origin.Proxies(e.opts.TrustedProxies).Source(r)
	if err := e.service.engine.Admits(source, ""); err != nil {
		e.refuse(w, handshake, crowded(err))
		return
	}
	token, follows, denied := e.credential(r)
	var id *Identity
	if denied == nil && !follows {
		id, denied = e.identify(r.Context(), token)
	}
	if denied != nil {
		e.refuse(w, handshake, *denied)
		return
	}
	if refused != nil {
		e.refuse(w, handshake, refusal{reason: "handshake", answer: refused})
		return
	}
	if follows {
		e.awaitToken(w, r, handshake, source)
		return
	}
	if err := e.service.engine.Admits(source, id.UserID); err != nil {
		e.refuse(w, handshake, crowded(err))
		return
	}
	e.upgrade(w, r, handshake, id, source)
}

// crowded is the refusal of a connection too many.
func crowded(err error) refusal {
	switch {
	case errors.Is(err, engine.ErrUserFull):
		return refuse("user_limit", http.StatusTooManyRequests, wire.CloseConnectionLimit, "too many connections of this user; close one first")
	case errors.Is(err, engine.ErrSourceFull):
		return refuse("address_limit", http.StatusTooManyRequests, wire.CloseConnectionLimit, "too many connections from this address; close one first")
	}
	return refuse("full", http.StatusServiceUnavailable, wire.CloseTryAgain, "this node has as many connections as it may have; try again later")
}

func (e *endpoint) handshake(r *http.Request) (socket.Handshake, *socket.Refusal) {
	handshake, err := socket.CheckHandshake(r, socket.HandshakeOptions{
		Protocols: []string{wire.Subprotocol}, Deflate: e.opts.Compression,
	})
	var refused *socket.Refusal
	errors.As(err, &refused)
	return handshake, refused
}

// refusal is why and how a request is refused.
type refusal struct {
	reason string // of the metric
	answer *socket.Refusal
	code   CloseCode // for clients of the subprotocol; 0: they get the answer too
}

func refuse(reason string, status int, code CloseCode, text string) refusal {
	return refusal{reason: reason, answer: &socket.Refusal{Status: status, Text: text}, code: code}
}

// credential finds the token. It says that it follows, as the first message,
// when the request has none and need not have one.
func (e *endpoint) credential(r *http.Request) (token string, follows bool, denied *refusal) {
	fail := func(reason string, status int, code CloseCode, text string) (string, bool, *refusal) {
		refused := refuse(reason, status, code, text)
		return "", false, &refused
	}
	if e.service.draining.Load() {
		refused := drainedRequest()
		return "", false, &refused
	}
	token, present, err := auth.FromRequest(r, e.opts.TokenParam)
	switch {
	case err != nil:
		return fail(string(auth.ReasonOf(err)), http.StatusBadRequest, wire.CloseBadRequest, err.Error())
	case !present && !e.opts.TokenInMessage:
		return fail("missing", http.StatusBadRequest, wire.CloseBadRequest, "Missing "+e.opts.TokenParam+" query parameter")
	}
	return token, !present, nil
}

// identify verifies a token. The texts of a refusal never hold it.
func (e *endpoint) identify(ctx context.Context, token string) (*Identity, *refusal) {
	id, err := e.verify(ctx, token)
	if err != nil {
		refused := e.refusalOf(err)
		return nil, &refused
	}
	return id, nil
}

// verify turns a token into an identity that may connect.
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
	return id, e.admit(id)
}

var errNoVerifier = errors.New("realtime: no Verifier is configured: set Options.Verifier")

func (e *endpoint) refusalOf(err error) refusal {
	reason := string(auth.ReasonOf(err))
	switch {
	case errors.Is(err, auth.ErrMissingPermissions), errors.Is(err, auth.ErrMissingRole):
		return refuse(reason, http.StatusForbidden, wire.CloseForbidden, err.Error())
	case errors.Is(err, ErrRevoked):
		return unauthorized("revoked", "unauthorized: revoked")
	case errors.Is(err, auth.ErrUnauthorized):
		return unauthorized(reason, "unauthorized: "+reason)
	case errors.Is(err, wire.ErrInvalidTarget):
		return unauthorized(string(auth.ReasonClaims), "unauthorized: the identity's user id or roles cannot be used")
	case errors.Is(err, auth.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refuse(reason, http.StatusServiceUnavailable, wire.CloseTryAgain, "the token cannot be verified just now; try again")
	}
	e.service.log.Error("a token could not be verified", "error", err)
	return refuse("internal", http.StatusInternalServerError, wire.CloseInternalError, "internal error")
}

// unauthorized is a refusal with the challenge that a 401 must have (RFC 9110
// section 15.5.2, RFC 6750 section 3).
func unauthorized(reason, text string) refusal {
	refused := refuse(reason, http.StatusUnauthorized, wire.CloseBadToken, text)
	refused.answer.Header = http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}}
	return refused
}

// refuse answers a request that is not upgraded.
func (e *endpoint) refuse(w http.ResponseWriter, h socket.Handshake, why refusal) {
	e.service.metrics.Refusals.WithLabelValues(why.reason).Inc()
	e.service.log.Debug("a connection was refused", "reason", why.reason, "status", why.answer.Status)
	if h.Protocol == "" || why.code == 0 {
		why.answer.ServeHTTP(w, nil)
		return
	}
	// To upgrade and close at once is the only way to tell a browser why.
	conn, _, ok := e.hijack(w)
	if !ok {
		why.answer.ServeHTTP(w, nil)
		return
	}
	e.sayLast(conn, socket.AppendClose(h.AppendResponse(nil), uint16(why.code), why.answer.Text))
}

// refusalTime bounds how long a refused client is spoken to.
const refusalTime = time.Second

// sayLast writes the last a client hears, and closes.
func (e *endpoint) sayLast(conn net.Conn, last []byte) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(refusalTime))
	if _, err := conn.Write(last); err != nil {
		e.service.log.Debug("a refusal could not be sent", "error", err)
		return
	}
	waitForEnd(conn)
}

// waitForEnd reads what a client still sends, a little at the most, so that
// closing does not reset the connection under the close frame.
func waitForEnd(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = conn.SetReadDeadline(time.Now().Add(refusalTime))
	var scratch [512]byte
	for range 16 {
		if _, err := conn.Read(scratch[:]); err != nil {
			return
		}
	}
}

func (e *endpoint) upgrade(w http.ResponseWriter, r *http.Request, h socket.Handshake, id *Identity, source string) {
	conn, buffered, ok := e.hijack(w)
	if !ok {
		cannotUpgrade(w)
		return
	}
	spec := specOf(conn, h, source)
	spec.Prelude, spec.Buffered = h.AppendResponse(nil), buffered
	if why := e.begin(r.Context(), id, spec); why != nil {
		e.dismiss(conn, h.AppendResponse(nil), *why)
	}
}

// hijack takes the connection of a request over. Where it cannot, the request is
// still to be answered.
func (e *endpoint) hijack(w http.ResponseWriter) (conn net.Conn, buffered []byte, ok bool) {
	conn, buffered, err := socket.Hijack(w)
	if err != nil {
		e.service.log.Error("cannot take the connection over; does a middleware hide http.Hijacker?", "error", err)
	}
	return conn, buffered, err == nil
}

func cannotUpgrade(w http.ResponseWriter) {
	http.Error(w, "this server cannot upgrade connections", http.StatusInternalServerError)
}

func specOf(conn net.Conn, h socket.Handshake, source string) engine.Spec {
	return engine.Spec{Conn: conn, Deflate: h.Deflate, TextPing: h.Protocol != "", Source: source}
}

// begin makes an upgraded client a connection, unless that is no longer possible.
func (e *endpoint) begin(ctx context.Context, id *Identity, spec engine.Spec) *refusal {
	_, err := e.connect(ctx, id, spec)
	if err == nil {
		return nil
	}
	why := drained(spec.TextPing)
	if errors.Is(err, engine.ErrFull) { // since it was asked
		why = crowded(err)
	}
	return &why
}

// drainedRequest is the refusal of a request during a drain. Its code is for
// clients of the subprotocol, as that of every request is.
func drainedRequest() refusal { return drained(true) }

// drained is the refusal of who is upgraded when a drain begins.
func drained(subprotocol bool) refusal {
	return refuse("draining", http.StatusServiceUnavailable, drainCode(subprotocol), drainReason)
}

// dismiss closes an upgraded client that is refused. Before is what it has to
// be sent first.
func (e *endpoint) dismiss(conn net.Conn, before []byte, why refusal) {
	e.service.metrics.Refusals.WithLabelValues(why.reason).Inc()
	e.service.log.Debug("a connection was refused", "reason", why.reason, "code", int(why.code))
	e.sayLast(conn, socket.AppendClose(before, uint16(why.code), why.answer.Text))
}

// ConnectOptions say who connects through an application's own transport:
// either a token for the service's Verifier, or an identity.
type ConnectOptions struct {
	Token    string
	Identity *Identity
	HandlerOptions
}

// Connect makes a connection of an application's own transport: it is found and
// sent to as any other. What its client sends is brought with Conn.Receive; when
// the client is gone, call Conn.Close. The error matches ErrUnauthorized when
// the token is refused; where it was revoked only just now, the Transport has been
// told to close, and OnOpen may have run.
// A Transport is needed. An OnOpen that ends its goroutine (runtime.Goexit) ends
// that of the caller; the connection lives on.
func (s *Service) Connect(ctx context.Context, t Transport, opts ConnectOptions) (*Conn, error) {
	if t == nil {
		return nil, errors.New("realtime: connect: there is no transport")
	}
	e := s.endpoint(opts.HandlerOptions)
	id := opts.Identity
	if id == nil {
		var err error
		if id, err = e.verify(ctx, opts.Token); err != nil {
			return nil, fmt.Errorf("realtime: connect: %w", err)
		}
	} else if err := e.admit(id); err != nil {
		return nil, fmt.Errorf("realtime: connect: %w", err)
	}
	c, err := e.connect(ctx, id, engine.Spec{Transport: t})
	if err == nil && s.isRevoked(id) { // since it was admitted
		c.expel(defaultRevoked)
		err = ErrRevoked
	}
	if err != nil {
		return nil, fmt.Errorf("realtime: connect: %w", err)
	}
	return c, nil
}
