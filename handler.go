package realtime

import (
	"context"
	"net"
	"net/http"
	"slices"

	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/origin"
	"boundary-app.org/realtime/internal/socket"
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
	e := s.endpoint(opts)
	pages, problems := origin.NewPages(opts.AllowedOrigins, e.opts.TrustedProxies)
	for _, problem := range problems {
		s.log.Warn("an entry of AllowedOrigins allows nothing", "error", problem)
	}
	e.pages = pages
	for _, source := range opts.TokenSources {
		if !slices.Contains([]TokenSource{TokenInQuery, TokenInHeader, TokenInSubprotocol}, source) {
			s.log.Warn("an entry of TokenSources is no place of a token; use query, header or subprotocol", "entry", string(source))
		}
	}
	return http.HandlerFunc(e.serve)
}

func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) {
	a, why := e.admit(r)
	switch {
	case why != nil:
		e.refuse(w, a, why)
	case a.id == nil:
		e.awaitToken(w, r, a)
	default:
		e.upgrade(w, r, a)
	}
}

func (e *endpoint) upgrade(w http.ResponseWriter, r *http.Request, a attempt) {
	conn, buffered, ok := e.hijack(w)
	if !ok {
		cannotUpgrade(w)
		return
	}
	spec := a.spec(conn)
	spec.Prelude, spec.Buffered = a.handshake.AppendResponse(nil), buffered
	if why := e.begin(r.Context(), a, spec); why != nil {
		e.reject(conn, a, a.handshake.AppendResponse(nil), why)
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
	w.Header().Set(headerError, "internal")
	http.Error(w, "this server cannot upgrade connections", http.StatusInternalServerError)
}

// begin makes an upgraded client a connection, unless that is no longer possible.
// One that OnOpen refuses is closed behind the upgrade by the engine.
func (e *endpoint) begin(ctx context.Context, a attempt, spec engine.Spec) *refusal {
	_, err := e.connect(ctx, a, spec)
	if err == nil || refusedBy(err) != nil {
		return nil
	}
	return lateRefusal(err, spec.TextPing).of(a.id)
}
