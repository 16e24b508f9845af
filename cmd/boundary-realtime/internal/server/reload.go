package server

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

// The results of a reload, as the metric has them.
const (
	reloadTaken   = "taken"
	reloadRefused = "refused"
)

func newReloads() *prometheus.CounterVec {
	reloads := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "realtime", Name: "config_reloads_total",
		Help: "New configurations that were read while the server ran, by result.",
	}, []string{"result"})
	for _, result := range []string{reloadTaken, reloadRefused} {
		reloads.WithLabelValues(result)
	}
	return reloads
}

// Reload says when and how a running server takes a new configuration.
type Reload struct {
	// Load returns the configuration as it is now, and with an error that is
	// Problems all that is wrong with it. The configuration is never nil.
	Load func() (*config.Config, error)
	// Asked has a value when a new configuration is wanted now.
	Asked <-chan os.Signal
	// Level is that of the log.
	Level *slog.LevelVar
}

// OnReload has Run reload the configuration when asked, and when one of its
// files has changed. Call it before Run.
func (s *Server) OnReload(r Reload) { s.reload = &r }

// reloader takes new configurations over. Its goroutine owns it.
type reloader struct {
	Reload
	server *Server
	log    *slog.Logger

	running *config.Config // in force
	content config.Digests // of the files in force
	read    *config.Config // that was read last: in force, or refused
	seen    config.Digests // of its files, when it was read
	glimpse config.Digests // of its files, at the last look
}

func newReloader(s *Server, r Reload) *reloader {
	content := s.loaded
	return &reloader{
		Reload: r, server: s, log: s.log,
		running: s.cfg, content: content, read: s.cfg, seen: content, glimpse: content,
	}
}

// run reloads until ctx is done.
func (r *reloader) run(ctx context.Context) {
	var looks <-chan time.Time
	if every := r.server.cfg.Times.Reload; every > 0 {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		looks = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.Asked:
			r.reload("a signal")
		case <-looks:
			if r.changed() {
				r.reload("a file changed")
			}
		}
	}
}

// changed reports whether a file holds something new, and the same at two looks:
// files that belong together are seldom written at once.
func (r *reloader) changed() bool {
	now := r.read.Digests()
	settled := maps.Equal(now, r.glimpse)
	r.glimpse = now
	return settled && !maps.Equal(now, r.seen)
}

// reload takes the configuration over as a whole, or logs why not.
func (r *reloader) reload(cause string) {
	next, err := r.Load()
	content := next.DigestsLoaded() // before apply reads the files: what changes later is seen later
	r.read, r.seen, r.glimpse = next, content, content
	if err != nil {
		r.refuse(cause, err)
		return
	}
	wanted := live(r.running, next)
	changes := config.Diff(r.running, wanted)
	changes = append(changes, content.Changes(r.content, changes)...)
	if err := r.apply(wanted, changes); err != nil {
		r.refuse(cause, err)
		return
	}
	r.server.reloads.WithLabelValues(reloadTaken).Inc()
	pending := config.Diff(wanted, next)
	r.running, r.content = wanted, content
	r.tell(cause, changes, pending)
}

// tell logs what a reload changed, and what waits for the next start.
func (r *reloader) tell(cause string, changes, pending []string) {
	switch {
	case len(changes) > 0:
		r.log.Info("the configuration was reloaded", "cause", cause, "changes", changes)
	case len(pending) > 0:
		r.log.Info("the configuration was reloaded; nothing changed that takes effect while the server runs", "cause", cause)
	default:
		r.log.Info("the configuration was reloaded; nothing changed", "cause", cause)
	}
	if len(pending) > 0 {
		r.log.Warn("some settings changed that take effect at the next start only; until then the old values stay", "cause", cause, "settings", pending)
	}
}

func (r *reloader) refuse(cause string, err error) {
	r.server.reloads.WithLabelValues(reloadRefused).Inc()
	var problems config.Problems
	if !errors.As(err, &problems) {
		problems = config.Problems{err.Error()}
	}
	r.log.Error("the new configuration is refused as a whole; the old one stays in force", "cause", cause, "problems", []string(problems))
}

// apply puts a configuration into force. Where it returns an error, nothing has
// changed.
func (r *reloader) apply(cfg *config.Config, changes []string) error {
	if len(changes) == 0 {
		return nil
	}
	if err := cfg.Check(); err != nil { // with what needs a restart as it was
		return err
	}
	s := r.server
	p, err := s.prepare(cfg, s.dev == nil && slices.ContainsFunc(changes, aboutTokens))
	if err != nil {
		return err
	}
	if err := s.svc.SetLimits(limits(cfg.Limits)); err != nil {
		if p.verifier != nil {
			_ = p.verifier.Close() // it returns no error
		}
		return err
	}
	wasDisabled := s.apiDisabled.Load()
	s.install(cfg, p)
	r.Level.Set(cfg.Log.Level)
	if !wasDisabled {
		s.warnOfDisabledAPI()
	}
	return nil
}

// aboutTokens reports whether a change asks for a new verifier. Where none does,
// the one in use keeps the key set it has fetched.
func aboutTokens(change string) bool {
	return strings.HasPrefix(change, "jwt_") || strings.HasPrefix(change, "jwks_")
}

// live returns the running configuration with what a running server can change
// taken from next.
func live(running, next *config.Config) *config.Config {
	c := *running
	c.Log.Level = next.Log.Level
	c.Limits = next.Limits
	c.Limits.HeaderSize, c.Limits.MessageSize, c.Limits.Backlog = running.Limits.HeaderSize, running.Limits.MessageSize, running.Limits.Backlog
	c.Access.AllowedOrigins = next.Access.AllowedOrigins
	if running.Listener.TLSCertFile != "" && next.Listener.TLSCertFile != "" {
		c.Listener.TLSCertFile, c.Listener.TLSKeyFile = next.Listener.TLSCertFile, next.Listener.TLSKeyFile
	}
	if running.Dev { // its keys and tokens are those of the start
		return &c
	}
	c.JWT = next.JWT
	c.JWT.Leeway, c.JWT.Lifetime = running.JWT.Leeway, running.JWT.Lifetime // of revocations, too
	c.Access.APIKeys, c.Access.APIKeyFile = next.Access.APIKeys, next.Access.APIKeyFile
	c.Access.RequiredRoles, c.Access.RequiredPermissions = next.Access.RequiredRoles, next.Access.RequiredPermissions
	return &c
}
