// Package api is the HTTP API by which back ends send messages, see who is
// connected, and disconnect and subscribe connections.
//
// It owns the way from a request to a call of realtime.Service and back: API
// keys, strict JSON, and errors as problem details (RFC 9457). openapi.json is
// its contract. It never keeps anything between requests, never decides who
// receives a message, and never logs a key, a body or a name in a path. Its handlers are
// safe for concurrent use and start no goroutines.
package api

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/leftover"
)

// Options configure the API. The zero value is an API that refuses every call.
type Options struct {
	// Keys are the API keys, any of which a call must bring as "Authorization:
	// Bearer <key>". Blank ones are ignored. Without any, every call is refused
	// with 403. New logs a warning when one has fewer than 16 bytes.
	Keys []string
	// MaxBody is the longest body of a request in bytes; a batch may be 64
	// times as long. Default: the service's Limits.MessageSize.
	MaxBody int64
	// Timeout bounds a call: how long its body may take to arrive, and how long
	// it waits for sockets that cannot keep up. Default: 10 s.
	Timeout time.Duration
	// TrustedProxies are the networks of the proxies before this API, whose
	// X-Forwarded-For is believed: the log names the address of the caller. What
	// any other writes there is ignored.
	TrustedProxies []netip.Prefix
	// Log gets the failures that are not the caller's, and at info, limited in
	// rate, the calls that were refused. Default: slog.Default.
	Log *slog.Logger
}

// batchFactor is how many times longer than one message a batch may be.
const batchFactor = 64

// api is static after New.
type api struct {
	svc      *realtime.Service
	keys     keys
	maxBody  int64
	timeout  time.Duration
	log      *slog.Logger
	refusals refusals
}

// New returns the handler of /v1/... and /openapi.json; the latter asks for no
// key. Mount it at those paths without stripping a prefix. Path parameters may
// be percent-encoded, a slash as %2F and the names "." and ".." as %2E and %2E%2E;
// only a name that is nothing but a slash has no path, since http.ServeMux takes
// it for the path's end. A batch can carry them all.
//
// The handler bounds the time for a request's body; the http.Server it is in has
// to bound the rest, or a client that does not read its answers keeps its
// connection: set ReadHeaderTimeout, IdleTimeout and WriteTimeout, the latter
// to more than Options.Timeout.
func New(svc *realtime.Service, o Options) http.Handler {
	a := newAPI(svc, o)
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, rt := range a.routes() {
		mux.Handle(rt.method+" "+rt.path, a.handler(rt.strict()))
		methods[rt.path] = append(methods[rt.path], rt.method)
		if rt.method == http.MethodGet { // the mux takes HEAD too
			methods[rt.path] = append(methods[rt.path], http.MethodHead)
		}
	}
	for path, allowed := range methods {
		mux.Handle(path, a.handler(route{path: path, call: onlyMethods(allowed)}))
	}
	unknown := a.handler(route{path: "unknown", call: notFound})
	mux.Handle("/", unknown)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would redirect such a path to another one, with an answer that
		// is not a problem.
		if escaped := r.URL.EscapedPath(); path.Clean(escaped) != escaped {
			unknown.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func newAPI(svc *realtime.Service, o Options) *api {
	a := &api{svc: svc, keys: newKeys(o.Keys), maxBody: o.MaxBody, timeout: o.Timeout, log: cmp.Or(o.Log, slog.Default())}
	if a.maxBody <= 0 {
		a.maxBody = int64(svc.Limits().MessageSize)
	}
	if a.timeout <= 0 {
		a.timeout = 10 * time.Second
	}
	a.refusals = newRefusals(svc, o.TrustedProxies, a.log)
	warnOfShortKeys(o.Keys, a.log)
	return a
}

// handler is what all answers have in common: key, limits and form.
func (a *api) handler(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), a.timeout)
		defer cancel()
		// A server that cannot set it bounds the time in its own way, or not at all.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(a.timeout))
		r = r.WithContext(ctx)
		body := leftover.Watch(r.Body)
		r.Body = http.MaxBytesReader(w, body, rt.maxBody)
		if err := a.serve(rt, w, r); err != nil {
			p := a.problem(ctx, err)
			a.refusals.report(r, rt.path, p)
			p.write(w)
		}
		body.Discard(w, r.ProtoMajor)
	})
}

// serve makes the call, when the request brings a key, and answers it. Nothing
// is written when it returns an error.
func (a *api) serve(rt route, w http.ResponseWriter, r *http.Request) error {
	if !rt.public {
		if p := a.keys.check(r.Header); p != nil {
			return p
		}
	}
	answer, err := rt.call(r)
	if err != nil {
		return err
	}
	return write(w, answer)
}
