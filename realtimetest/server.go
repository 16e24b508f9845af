package realtimetest

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"boundary-app.org/realtime"
)

// patience is how long a test waits for what happens at once.
const patience = 10 * time.Second

// Server is a service behind an HTTP server on a loopback address. The handler
// answers on every path.
type Server struct {
	*realtime.Service
	// URL is where WebSocket clients connect: "ws://127.0.0.1:PORT".
	URL string

	addr   string
	tokens *tokens // nil: the caller's own Verifier
}

// NewServer starts a server that ends with the test. Without opts.Verifier it
// accepts the tokens that Token returns; without opts.Log it logs nothing.
func NewServer(t testing.TB, opts realtime.Options, handler realtime.HandlerOptions) *Server {
	t.Helper()
	s := &Server{}
	if opts.Verifier == nil {
		s.tokens = &tokens{}
		opts.Verifier = s.tokens
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	svc, err := realtime.New(opts)
	if err != nil {
		t.Fatalf("realtimetest: %v", err)
	}
	s.Service = svc
	web := httptest.NewServer(svc.Handler(handler))
	s.addr = web.Listener.Addr().String()
	s.URL = "ws://" + s.addr
	t.Cleanup(func() {
		now, cancel := context.WithCancel(context.Background())
		cancel()
		_ = svc.Shutdown(now) // clients that are still connected are cut
		web.Close()
	})
	return s
}

// Token returns a new token for an identity. It must not be called when
// NewServer was given a Verifier.
func (s *Server) Token(id realtime.Identity) string {
	if s.tokens == nil {
		panic("realtimetest: the server has a Verifier of your own: make the token for that one")
	}
	return s.tokens.issue(id)
}

// Connect connects an identity through a Recorder, without a socket.
func (s *Server) Connect(t testing.TB, id realtime.Identity, handler realtime.HandlerOptions) (*realtime.Conn, *Recorder) {
	t.Helper()
	r := &Recorder{}
	c, err := s.Service.Connect(t.Context(), r, realtime.ConnectOptions{Identity: &id, HandlerOptions: handler})
	if err != nil {
		t.Fatalf("realtimetest: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := r.WaitFrames(ctx, 1); err != nil && !errors.Is(err, realtime.ErrClosed) {
		t.Fatalf("realtimetest: connect: %v", err)
	}
	return c, r
}
