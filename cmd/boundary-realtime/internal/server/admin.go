package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

// adminHandler answers operators: on loopback whoever is on this machine, else
// the holders of an API key. Health is no secret. Pages of other sites get
// nothing else.
func (s *Server) adminHandler(apiKeys []string, figures ...prometheus.Collector) http.Handler {
	inner := operations(api.Metrics(s.svc, figures...))
	local := config.IsLoopback(s.admin.listener.Addr().String())
	if !local {
		inner = keyHolders(apiKeys, inner)
	}
	mux := http.NewServeMux()
	mux.Handle("/", ownPagesOnly(inner))
	s.addHealth(mux)
	if local {
		return localOnly(mux)
	}
	return mux
}

// operations shows metrics and profiles. The profiler is wired by hand, for its
// package puts it on a mux that is everybody's.
func operations(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// localOnly refuses requests for another host: a page from elsewhere can have
// its own name point to this machine, and would then be of the same origin.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !config.IsLoopback(r.Host) {
			http.Error(w, "the host in the URL must be localhost or a loopback address, such as 127.0.0.1", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownPagesOnly refuses requests that a page of another site caused a browser to
// send, for example as the source of an image. [http.CrossOriginProtection] lets
// every GET pass, but here a GET costs something: a profile slows the process. A
// client that does not send the header passes, since it is no current browser.
func ownPagesOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, site := range r.Header.Values("Sec-Fetch-Site") {
			if site != "none" && site != "same-origin" {
				http.Error(w, "pages of other sites may not read metrics and profiles; open the URL itself", http.StatusForbidden)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// keyHolders lets requests through that bring one of the keys (RFC 6750, section
// 2.1). Digests are compared, and all of them, so that the time tells neither a
// key's length nor which one nearly matched.
func keyHolders(keys []string, next http.Handler) http.Handler {
	digests := make([][sha256.Size]byte, len(keys))
	for i, key := range keys {
		digests[i] = sha256.Sum256([]byte(key))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		given, found := sha256.Sum256([]byte(key)), 0
		for _, digest := range digests {
			found |= subtle.ConstantTimeCompare(given[:], digest[:])
		}
		if !strings.EqualFold(scheme, "Bearer") || found == 0 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, `send an API key as "Authorization: Bearer <key>"`, http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
