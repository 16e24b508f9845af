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
// the holders of an API key. Health is no secret.
func (s *Server) adminHandler(apiKeys []string, figures ...prometheus.Collector) http.Handler {
	inner := operations(api.Metrics(s.svc, figures...))
	local := config.IsLoopback(s.admin.listener.Addr().String())
	if !local {
		inner = keyHolders(apiKeys, inner)
	}
	mux := http.NewServeMux()
	mux.Handle("/", inner)
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
