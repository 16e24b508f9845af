package realtime

import (
	"log/slog"
	"net/netip"
	"sync"

	"boundary-app.org/realtime/internal/loglimit"
)

// peerLog writes the lines that a remote peer can cause, each kind at a limited
// rate. Safe for concurrent use.
type peerLog struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[string]*slog.Logger // guarded by mu
}

func newPeerLog(log *slog.Logger) *peerLog {
	return &peerLog{log: log, kinds: map[string]*slog.Logger{}}
}

// The kinds of lines that are not about a refusal.
const (
	kindHijack   = "hijack"
	kindUnsent   = "unsent"
	kindVerifier = "verifier"
	kindOpen     = "open"
	kindPanic    = "panic in " // and the name of the callback
)

// of returns the logger of a kind of line: one of those above, or the reason of a
// refusal. There are few: a logger is kept for each.
func (l *peerLog) of(kind string) *slog.Logger {
	l.mu.Lock()
	defer l.mu.Unlock()
	limited := l.kinds[kind]
	if limited == nil {
		limited = loglimit.New(l.log)
		l.kinds[kind] = limited
	}
	return limited
}

// report counts and logs a refusal. How is the status or the close code that the
// client gets.
func (s *Service) report(a attempt, why *refusal, how slog.Attr) {
	s.metrics.Refusals.WithLabelValues(why.reason).Inc()
	attrs := []any{"reason", why.reason, how, "detail", why.detail, "address", addressText(a.client)}
	if why.user != "" {
		attrs = append(attrs, "user", why.user)
	}
	if o := why.origin; o != nil {
		attrs = append(attrs, "origin", o.Origin, "expected", o.Expected)
	}
	s.peers.of(why.reason).Info("a connection was refused", attrs...)
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return "unknown"
	}
	return a.String()
}
