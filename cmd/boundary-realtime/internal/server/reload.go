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

// The results of a reload, as labels of the metric.
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

// Reload are the sources of new configurations for a running server.
type Reload struct {
	// Load returns the present configuration. Its error is Problems, with all mistakes.
	// The configuration is never nil.
	Load func() (*config.Config, error)
	// Asked receives a value to request a reload.
	Asked <-chan os.Signal
	// Level is the level of the log.
	Level *slog.LevelVar
}

// OnReload makes Run reload the configuration on request, and when one of its files has
// changed. Call it before Run.
func (s *Server) OnReload(r Reload) { s.reload = &r }

// reloader applies new configurations. Its goroutine owns it.
type reloader struct {
	Reload
	server *Server
	log    *slog.Logger

	running *config.Config // in use
	content config.Digests // of the files in use
	read    *config.Config // read last: in use, or refused
	seen    config.Digests // of its files, when it was read
	glimpse config.Digests // of its files, at the last check
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

// changed reports whether a file has new content that is the same at two checks: files
// that belong together are seldom written at the same time.
func (r *reloader) changed() bool {
	now := r.read.Digests()
	settled := maps.Equal(now, r.glimpse)
	r.glimpse = now
	return settled && !maps.Equal(now, r.seen)
}

// reload applies the new configuration as a whole, or logs its mistakes.
func (r *reloader) reload(cause string) {
	next, err := r.Load()
	content := next.DigestsLoaded() // before apply reads the files: a later change is found later
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
	r.logChanges(cause, changes, pending)
}

// logChanges logs the changes of a reload, and those that need a restart.
func (r *reloader) logChanges(cause string, changes, pending []string) {
	switch {
	case len(changes) > 0:
		r.log.Info("the configuration was reloaded", "cause", cause, "changes", changes)
	case len(pending) > 0:
		r.log.Info("the configuration was reloaded; nothing changed that takes effect while the server runs", "cause", cause)
	default:
		r.log.Info("the configuration was reloaded; nothing changed", "cause", cause)
	}
	if len(pending) > 0 {
		r.log.Warn("some changed settings take effect only at the next start; until then the old values stay", "cause", cause, "settings", pending)
	}
}

func (r *reloader) refuse(cause string, err error) {
	r.server.reloads.WithLabelValues(reloadRefused).Inc()
	var problems config.Problems
	if !errors.As(err, &problems) {
		problems = config.Problems{err.Error()}
	}
	r.log.Error("the new configuration is refused as a whole; the old one stays in use", "cause", cause, "problems", []string(problems))
}

// apply makes a configuration take effect. If it returns an error, nothing has changed.
func (r *reloader) apply(cfg *config.Config, changes []string) error {
	if len(changes) == 0 {
		return nil
	}
	if err := cfg.Check(); err != nil { // settings that need a restart have their old values
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

// aboutTokens reports whether a change needs a new verifier. Without such a change the
// current verifier keeps its fetched key set.
func aboutTokens(change string) bool {
	return strings.HasPrefix(change, "jwt_") || strings.HasPrefix(change, "jwks_")
}

// live returns the running configuration with the settings of next that can change while
// the server runs.
func live(running, next *config.Config) *config.Config {
	c := *running
	c.Log.Level = next.Log.Level
	c.Limits = next.Limits
	c.Limits.HeaderSize, c.Limits.MessageSize, c.Limits.Backlog = running.Limits.HeaderSize, running.Limits.MessageSize, running.Limits.Backlog
	c.Access.AllowedOrigins = next.Access.AllowedOrigins
	if running.Listener.TLSCertFile != "" && next.Listener.TLSCertFile != "" {
		c.Listener.TLSCertFile, c.Listener.TLSKeyFile = next.Listener.TLSCertFile, next.Listener.TLSKeyFile
	}
	if running.Dev { // keys and tokens stay those of the start
		return &c
	}
	c.JWT = next.JWT
	c.JWT.Leeway, c.JWT.Lifetime = running.JWT.Leeway, running.JWT.Lifetime // used for revocations, too
	c.Access.APIKeys, c.Access.APIKeyFile = next.Access.APIKeys, next.Access.APIKeyFile
	c.Access.RequiredRoles, c.Access.RequiredPermissions = next.Access.RequiredRoles, next.Access.RequiredPermissions
	return &c
}
