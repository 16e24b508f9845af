package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/edge"
	"boundary-app.org/realtime/internal/origin"
)

// Server is the program between start and exit.
type Server struct {
	cfg        *config.Config // of the start
	log        *slog.Logger
	dev        *devMode // nil: off
	svc        *realtime.Service
	public     *endpoint
	admin      *endpoint              // nil: off
	reload     *Reload                // nil: the configuration of the start stays
	reloads    *prometheus.CounterVec // by result
	operations http.Handler           // serves metrics and profiles
	loaded     config.Digests         // of the files of cfg at the start

	// replaced by a reload
	verifier    swapVerifier
	sockets     swapHandler // of /ws
	calls       swapHandler // of the HTTP API
	guarded     swapHandler // operations, with an API key
	certificate swapCertificate
	apiDisabled atomic.Bool // there is no API key
}

// New makes a server from a configuration without mistakes (see Config.Check). When it
// returns the server listens, so that its addresses are known; Run serves.
func New(cfg *config.Config, log *slog.Logger) (*Server, error) {
	s := &Server{cfg: cfg, log: log, loaded: cfg.DigestsLoaded()}
	if err := s.build(); err != nil {
		return nil, errors.Join(fmt.Errorf("start: %w", err), s.close())
	}
	return s, nil
}

func (s *Server) build() error {
	if s.cfg.Dev {
		s.dev = newDevMode(s.cfg)
	}
	p, err := s.prepare(s.cfg, true)
	if err != nil {
		return err
	}
	s.verifier.set(p.verifier)
	if s.svc, err = realtime.New(serviceOptions(s.cfg, &s.verifier, s.log)); err != nil {
		return err
	}
	bounds := edge.Options{HeaderSize: s.cfg.Limits.HeaderSize, Figures: edge.NewFigures(), Log: s.log}
	s.reloads = newReloads()
	s.operations = operations(api.Metrics(s.svc, append(bounds.Figures.Collectors(), s.reloads)...))
	s.install(s.cfg, p)
	if err := s.listenPublic(bounds); err != nil {
		return err
	}
	s.public.handle(s.publicHandler())
	if s.cfg.Listener.Admin == config.Off {
		return nil
	}
	if s.admin, err = listen(s.cfg.Listener.Admin, bounds); err != nil {
		return unlistened("admin_listen", err)
	}
	s.admin.handle(s.adminHandler())
	return nil
}

func (s *Server) listenPublic(bounds edge.Options) (err error) {
	l := s.cfg.Listener
	if l.ProxyProtocol {
		bounds.Proxies = origin.NewProxies(s.cfg.Access.TrustedProxies)
	}
	if s.public, err = listen(l.Public, bounds); err != nil {
		return unlistened("listen", err)
	}
	if l.TLSCertFile != "" {
		s.public.secure(&s.certificate)
	}
	return nil
}

// Run serves until ctx is done, and then drains: /ready answers 503 at once, everything
// else is served for the drain delay, then the connections are closed within the drain
// window while the API still works, and the listeners close last. It returns nil after a
// drain, and an error if a listener fails.
func (s *Server) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	failed := make(chan error, 2)
	for _, e := range s.endpoints() {
		running.Go(func() { failed <- e.serve() })
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	if s.dev != nil {
		running.Go(func() { checkConsistency(serving, s.svc.ConsistencyCheck, s.log) })
	}
	s.announce()
	if s.reload != nil {
		running.Go(func() { newReloader(s, *s.reload).run(serving) })
	}

	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.drain()
	return errors.Join(err, s.close())
}

func (s *Server) announce() {
	attrs := []any{"public", s.public.url()}
	if s.admin != nil {
		attrs = append(attrs, "admin", s.admin.url())
		if !config.IsLoopback(s.admin.listener.Addr().String()) {
			s.log.Warn("the admin listener can be reached from other machines, and API keys are sent to it unencrypted; keep it in a private network",
				"address", s.admin.listener.Addr().String())
		}
	}
	s.log.Info("listening", attrs...)
	s.warnOfDisabledAPI()
	if s.dev != nil {
		s.log.Warn("dev mode: everyone on this machine can get a token; do not use it in production")
	}
}

func (s *Server) warnOfDisabledAPI() {
	if s.apiDisabled.Load() {
		s.log.Warn("the HTTP API is disabled, since there is no API key: set REALTIME_API_KEY or REALTIME_API_KEY_FILE; make a key with: openssl rand -hex 16")
	}
}

func (s *Server) drain() {
	times := s.cfg.Times
	hint := "/ready answers 503; connections are closed over the window; a second signal ends the process at once"
	if times.DrainDelay > 0 {
		hint = "/ready answers 503; everything else is served for the delay, then connections are closed over the window; a second signal ends the process at once"
	}
	s.log.Info("draining", "connections", s.svc.ConnectionCount(), "delay", times.DrainDelay, "window", times.Drain, "hint", hint)
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), times.DrainDelay+max(times.Drain, leastDrain))
	defer cancel()
	if err := s.svc.Shutdown(ctx); err != nil {
		s.log.Warn("some connections did not close in time", "error", err)
	}
	s.log.Info("drained", "after", time.Since(start).Round(time.Millisecond))
}

// leastDrain is the time for clients to answer a close frame without a drain window.
const leastDrain = time.Second

func (s *Server) endpoints() (all []*endpoint) {
	for _, e := range []*endpoint{s.public, s.admin} {
		if e != nil {
			all = append(all, e)
		}
	}
	return all
}

// close closes everything that New has started.
func (s *Server) close() (err error) {
	for _, e := range s.endpoints() {
		err = errors.Join(err, e.close())
	}
	if s.svc != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()                // the service was drained, or never served: no delay
		_ = s.svc.Shutdown(ctx) // there are no connections
	}
	return errors.Join(err, s.verifier.Close())
}
