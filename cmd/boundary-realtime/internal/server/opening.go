package server

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// openings counts the clients that an endpoint cut because the header of their
// first request, or their TLS handshake, did not come in time. Safe for
// concurrent use.
type openings struct {
	cut atomic.Uint64

	mu      sync.Mutex
	waiting map[net.Conn]time.Time // guarded by mu; accepted, and their first request has not come
}

// figure is what there is to scrape.
func (o *openings) figure() prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "realtime", Name: "opening_timeouts_total",
		Help: "Clients that were cut because their first request did not come in time.",
	}, func() float64 { return float64(o.cut.Load()) })
}

// watch makes a server, whose handler is set, tell of its connections.
func (o *openings) watch(s *http.Server) {
	o.waiting = map[net.Conn]time.Time{}
	s.ConnState = o.state
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, openingKey{}, conn)
	}
	inner := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, ok := r.Context().Value(openingKey{}).(net.Conn); ok {
			o.end(conn)
		}
		inner.ServeHTTP(w, r)
	})
}

type openingKey struct{}

func (o *openings) state(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		o.mu.Lock()
		defer o.mu.Unlock()
		o.waiting[conn] = time.Now()
	case http.StateIdle: // net/http has answered, without the handler
		o.end(conn)
	case http.StateClosed:
		if since, waited := o.end(conn); waited && time.Since(since) >= headerTimeout {
			o.cut.Add(1)
		}
	}
}

// end forgets a connection and returns since when it was waited for.
func (o *openings) end(conn net.Conn) (since time.Time, waited bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	since, waited = o.waiting[conn]
	delete(o.waiting, conn)
	return since, waited
}
