package realtime

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/origin"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// Handler returns the WebSocket endpoint. It checks the request, the origin and
// the token before it upgrades, and answers what it refuses with an ordinary
// status, a text that says why, and a stable code for programs in the header field
// Realtime-Error; a client that offers the subprotocol
// boundary.realtime.v1 is upgraded and closed with a code instead, since a
// browser shows neither to JavaScript otherwise. ServeHTTP returns once OnOpen
// has; the connection keeps neither goroutine nor buffers of the HTTP server.
//
// The http.Server it is in has to bound the time of requests: set
// ReadHeaderTimeout, IdleTimeout and WriteTimeout, or a client that does not read
// what it is refused with keeps its connection. None of them holds for a
// connection once it is upgraded.
func (s *Service) Handler(opts HandlerOptions) http.Handler {
	return http.HandlerFunc(s.httpEndpoint(opts).serveWebSocket)
}

// httpEndpoint returns the endpoint of a handler.
func (s *Service) httpEndpoint(opts HandlerOptions) *endpoint {
	e := s.endpoint(opts)
	origins, problems := origin.NewAllowedOrigins(opts.AllowedOrigins, e.opts.TrustedProxies)
	for _, problem := range problems {
		s.log.Warn("an entry of AllowedOrigins allows nothing", "error", problem)
	}
	e.origins = origins
	for _, source := range opts.TokenSources {
		if !slices.Contains([]TokenSource{TokenInQuery, TokenInHeader, TokenInSubprotocol}, source) {
			s.log.Warn("an entry of TokenSources is no place of a token; use query, header or subprotocol", "entry", string(source))
		}
	}
	return e
}

// attemptOf returns the attempt that a request is.
func (e *endpoint) attemptOf(r *http.Request) attempt {
	address := origin.Proxies(e.opts.TrustedProxies).Client(r)
	return attempt{address: address, clientKey: origin.ClientKey(address)}
}

// upgrade is an attempt by a WebSocket handshake.
type upgrade struct {
	attempt
	handshake socket.Handshake // zero: the request is no valid one
}

// spec describes the connection over conn to the engine.
func (u upgrade) spec(conn net.Conn) engine.Spec {
	return engine.Spec{Conn: conn, Deflate: u.handshake.Deflate, TextPing: u.subprotocol}
}

func (e *endpoint) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	u, refused := e.admitUpgrade(r)
	switch {
	case refused != nil:
		e.refuse(w, u, refused)
	case u.identity == nil:
		u.handshake.Deflate = false // nothing is inflated for a client without a token
		e.awaitToken(w, r, u)
	default:
		e.upgrade(w, r, u)
	}
}

// admitUpgrade decides whether a request may become a connection. A request without
// an Upgrade header learns last that it is no handshake.
func (e *endpoint) admitUpgrade(r *http.Request) (u upgrade, refused *refusal) {
	u.attempt = e.attemptOf(r)
	handshake, err := socket.CheckHandshake(r, socket.HandshakeOptions{
		Protocols: []string{wire.Subprotocol}, Deflate: e.opts.Compression,
	})
	var invalid *refusal
	if answer, ok := errors.AsType[*socket.Refusal](err); ok {
		invalid = &refusal{reason: "handshake", answer: answer, detail: answer.Text}
	} else {
		u.handshake, u.subprotocol = handshake, handshake.Protocol != ""
	}
	if invalid != nil && (r.Header.Get("Upgrade") != "" || r.Method != http.MethodGet) {
		return u, invalid
	}
	if refused := e.admitRequest(r, &u.attempt); refused != nil {
		return u, refused
	}
	return u, invalid
}

func (e *endpoint) upgrade(w http.ResponseWriter, r *http.Request, u upgrade) {
	conn, buffered, ok := e.hijack(w)
	if !ok {
		cannotUpgrade(w)
		return
	}
	spec := u.spec(conn)
	spec.Prelude, spec.Buffered = u.handshake.AppendResponse(nil), buffered
	if refused := e.begin(r.Context(), u.attempt, spec); refused != nil {
		e.reject(conn, u.attempt, u.handshake.AppendResponse(nil), refused)
	}
}

// hijack takes the connection of a request over. Where it cannot, the request is
// still to be answered.
func (e *endpoint) hijack(w http.ResponseWriter) (conn net.Conn, buffered []byte, ok bool) {
	conn, buffered, err := socket.Hijack(w)
	if err != nil {
		e.service.peers.Of(kindHijack).Error("cannot take the connection over; does a middleware hide http.Hijacker?", "error", err)
	}
	return conn, buffered, err == nil
}

func cannotUpgrade(w http.ResponseWriter) {
	w.Header().Set(headerError, reasonInternal)
	http.Error(w, "this server cannot upgrade connections", http.StatusInternalServerError)
}

// begin makes an upgraded client a connection, unless that is no longer possible.
// One that register has closed needs no refusal: the engine writes its close frame
// behind the upgrade.
func (e *endpoint) begin(ctx context.Context, a attempt, spec engine.Spec) *refusal {
	c, err := e.register(ctx, a, spec)
	if c != nil {
		return nil
	}
	return registerRefusal(err, a.subprotocol).of(a.identity)
}

// refuse answers a request that does not become a connection. To upgrade and close
// at once is the only way to tell a browser why.
func (e *endpoint) refuse(w http.ResponseWriter, u upgrade, refused *refusal) {
	if u.subprotocol && refused.code != 0 {
		if conn, _, ok := e.hijack(w); ok {
			e.reject(conn, u.attempt, u.handshake.AppendResponse(nil), refused)
			return
		}
	}
	e.answer(w, u.attempt, refused)
}

// answer reports a refusal and sends it as the answer to the request.
func (e *endpoint) answer(w http.ResponseWriter, a attempt, refused *refusal) {
	e.service.report(a, refused, slog.Int("status", refused.answer.Status))
	w.Header().Set(headerError, refused.reason)
	refused.answer.ServeHTTP(w, nil)
}

// reject closes an upgraded client that is refused, behind prelude.
func (e *endpoint) reject(conn net.Conn, a attempt, prelude []byte, refused *refusal) {
	e.service.report(a, refused, slog.Int("code", int(refused.code)))
	e.writeFinal(conn, refused.appendTo(prelude))
}

// finalTime bounds how long a refused client is written to, and read from.
const finalTime = time.Second

// writeFinal writes data, half-closes and closes conn. What the client has not taken
// by then, also of answers before the upgrade, the kernel does not keep for long.
func (e *endpoint) writeFinal(conn net.Conn, data []byte) {
	defer engine.CloseConn(conn)
	_ = conn.SetDeadline(time.Now().Add(finalTime))
	if _, err := conn.Write(data); err != nil {
		e.service.peers.Of(kindUnsent).Debug("a refusal could not be sent", "error", err)
		return
	}
	waitForEnd(conn)
}

// waitForEnd half-closes conn and reads what a client still sends, a little at
// the most, so that closing does not reset the connection under the close frame.
func waitForEnd(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = conn.SetReadDeadline(time.Now().Add(finalTime))
	var scratch [512]byte
	for range 16 {
		if _, err := conn.Read(scratch[:]); err != nil {
			return
		}
	}
}
