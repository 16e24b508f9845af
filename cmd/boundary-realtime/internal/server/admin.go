package server

import (
	"net/http"
	"net/http/pprof"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

// adminHandler serves operators: on loopback all users of this machine, on other addresses
// holders of an API key. Health needs no key. It refuses pages of other sites.
func (s *Server) adminHandler() http.Handler {
	inner := s.operations
	local := config.IsLoopback(s.admin.listener.Addr().String())
	if !local {
		inner = &s.guarded
	}
	mux := http.NewServeMux()
	mux.Handle("/", ownPagesOnly(inner))
	s.addHealth(mux)
	if local {
		return localOnly(mux)
	}
	return mux
}

// operations serves metrics and profiles. It registers the profiler itself, since
// importing its package adds it only to the shared default mux.
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

// localOnly refuses requests for another host: a foreign page can resolve its own name to
// this machine (DNS rebinding), and would then have the same origin.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !config.IsLoopback(r.Host) {
			http.Error(w, "the host in the URL must be localhost or a loopback address, such as 127.0.0.1", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownPagesOnly refuses requests that a page of another site makes a browser send, for
// example as the source of an image. [http.CrossOriginProtection] allows every GET, but
// here a GET is expensive: a profile slows the process. A client without the header is not
// a current browser and passes.
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
