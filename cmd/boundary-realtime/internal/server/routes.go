package server

import (
	"net/http"
	"strings"

	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/edge"
	"boundary-app.org/realtime/internal/leftover"
)

// publicHandler serves clients, back ends and load balancers.
func (s *Server) publicHandler() http.Handler {
	mux := http.NewServeMux()
	s.addHealth(mux)
	if s.dev != nil {
		s.dev.addRoutes(mux)
	}
	mux.Handle("/ws", edge.TakeOver(&s.sockets))
	others := leftover.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would redirect an unclean path such as /v1/users//messages; the
		// API answers it with a problem.
		if isCall(r.URL.Path) {
			s.calls.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

func isCall(path string) bool {
	return path == "/v1" || strings.HasPrefix(path, "/v1/") || path == "/openapi.json"
}

func (s *Server) addHealth(mux *http.ServeMux) {
	mux.Handle("GET /health", api.Health())
	mux.Handle("GET /ready", api.Ready(s.svc))
}
