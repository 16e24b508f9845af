// Package api is the HTTP API with which back ends send messages, list connections,
// and disconnect and subscribe them.
//
// It translates HTTP requests into calls of realtime.Service: API keys, strict JSON,
// and errors as problem details (RFC 9457). openapi.json is its contract. It keeps no
// state between requests, never decides who receives a message, and never logs a key,
// a body or a name in a path. Its handlers are safe for concurrent use and start no
// goroutines.
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
	// Keys are the API keys. A call must have one of them as "Authorization: Bearer
	// <key>". Blank keys are ignored. Without any key, every call is refused with 403.
	// New logs a warning when a key has fewer than 16 bytes.
	Keys []string
	// MaxBody is the longest body of a request in bytes; a batch may be 64
	// times as long. Default: the service's Limits.MessageSize.
	MaxBody int64
	// Timeout bounds a call: how long its body may take to arrive, and how long
	// it waits for sockets that cannot keep up. Default: 10 s.
	Timeout time.Duration
	// TrustedProxies are the networks of the proxies in front of this API. Their
	// X-Forwarded-For gives the address of the caller for the log; from any other
	// peer the header is ignored.
	TrustedProxies []netip.Prefix
	// Log receives failures that are not the caller's fault and, at info and limited
	// in rate, refused calls. Default: slog.Default.
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

// New returns the handler of /v1/... and /openapi.json; the latter needs no key.
// Mount it at those paths without stripping a prefix. Path parameters may
// be percent-encoded, a slash as %2F and the names "." and ".." as %2E and %2E%2E;
// only the name "/" has no path, since http.ServeMux takes it for the end of the
// path. A batch can carry every name.
//
// The handler bounds the time for the body of a request. The http.Server must bound
// the rest, or a client that does not read its answers keeps its connection: set ReadHeaderTimeout, IdleTimeout and WriteTimeout, the latter
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
		// The mux would redirect an unclean path, and a name with ../ to another
		// address.
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

// handler serves a route: it bounds the time and the body, and answers an error with
// a problem.
func (a *api) handler(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), a.timeout)
		defer cancel()
		// Not every ResponseWriter has a read deadline; then the server bounds the time.
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

// serve checks the key, makes the call and writes its answer. When it returns an
// error it has written nothing.
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
