package server

import (
	"net/http"
	"net/http/pprof"
	"strings"

	"boundary-app.org/realtime/api"
)

// publicHandler answers clients, back ends and load balancers.
func (s *Server) publicHandler(apiKeys []string) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/ws", s.svc.Handler(s.handlerOptions()))
	s.addHealth(mux)
	if s.dev != nil {
		s.dev.addRoutes(mux)
	}
	calls := api.New(s.svc, api.Options{Keys: apiKeys, Log: s.log})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would redirect what it finds unclean in a path of the API,
		// which has an answer of its own.
		if strings.HasPrefix(r.URL.Path, "/v1/") || r.URL.Path == "/openapi.json" {
			calls.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// adminHandler answers operators. The profiler is wired by hand, for its package
// puts it on a mux that is everybody's.
func (s *Server) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", api.Metrics(s.svc))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	s.addHealth(mux)
	return mux
}

func (s *Server) addHealth(mux *http.ServeMux) {
	mux.Handle("GET /health", api.Health())
	mux.Handle("GET /ready", api.Ready(s.svc))
}
