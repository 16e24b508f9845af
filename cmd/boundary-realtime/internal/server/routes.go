package server

import (
	"net/http"
	"path"
	"strings"

	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/edge"
	"boundary-app.org/realtime/internal/leftover"
)

// publicHandler answers clients, back ends and load balancers.
func (s *Server) publicHandler() http.Handler {
	mux := http.NewServeMux()
	s.addHealth(mux)
	if s.dev != nil {
		s.dev.addRoutes(mux)
	}
	mux.Handle("/ws", edge.TakeOver(&s.sockets))
	others := leftover.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would redirect what it finds unclean in a path of the API,
		// which has an answer of its own.
		if isCall(r.URL.Path) || isCall(path.Clean(r.URL.Path)) {
			s.calls.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

func isCall(target string) bool {
	return target == "/v1" || strings.HasPrefix(target, "/v1/") || target == "/openapi.json"
}

func (s *Server) addHealth(mux *http.ServeMux) {
	mux.Handle("GET /health", api.Health())
	mux.Handle("GET /ready", api.Ready(s.svc))
}
