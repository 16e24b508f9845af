package realtime_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("an example secret of 32 octets!!")

// server is a service with a way for clients to reach it.
type server struct {
	*realtime.Service
	handler realtime.HandlerOptions
	way     way
	web     *httptest.Server // nil when the way needs none
}

// start starts a service behind a plain HTTP server.
func start(t *testing.T, opts realtime.Options, handler realtime.HandlerOptions) *server {
	t.Helper()
	return startOver(t, overTCP, opts, handler)
}

func startOver(t *testing.T, w way, opts realtime.Options, handler realtime.HandlerOptions) *server {
	t.Helper()
	s := &server{Service: newService(t, opts), handler: handler, way: w}
	if w.listen != nil {
		s.web = httptest.NewUnstartedServer(s.Handler(handler))
		s.web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		w.listen(s.web)
		t.Cleanup(s.web.Close)
	}
	return s
}

// newService starts a service that verifies the tokens of func token, unless
// opts has a Verifier, and logs nothing, unless opts has a Log.
func newService(t *testing.T, opts realtime.Options) *realtime.Service {
	t.Helper()
	if opts.Verifier == nil {
		verifier, err := auth.New(auth.Options{HMACSecret: secret})
		if err != nil {
			t.Fatal(err)
		}
		opts.Verifier = verifier
	}
	if opts.Log == nil {
		opts.Log = discard()
	}
	svc, err := realtime.New(opts)
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	t.Cleanup(func() { _ = svc.Shutdown(doneContext()) })
	return svc
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// journal keeps what was logged, at every level.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// doneContext makes Shutdown cut whoever is still connected.
func doneContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// claims are a token's; exp is in an hour unless they say otherwise.
type claims map[string]any

func token(t *testing.T, c claims) string {
	t.Helper()
	c = maps.Clone(c)
	if _, ok := c["exp"]; !ok {
		c["exp"] = time.Now().Add(time.Hour).Unix()
	}
	text, err := auth.Mint(secret, c)
	if err != nil {
		t.Fatalf("mint: %v", err)
	}
	return text
}

func user(id string, roles ...string) claims { return claims{"sub": id, "roles": roles} }

// metric returns the sum of a metric's values over its labels.
func metric(t *testing.T, svc *realtime.Service, name string) (sum float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(svc.Collector())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

// patience is how long a test waits for what happens at once.
const patience = 10 * time.Second

// eventually waits for a value on a channel.
func eventually[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("in vain waited for %s", what)
		panic("unreachable")
	}
}
