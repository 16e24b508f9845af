package realtime

import (
	"log/slog"

	"boundary-app.org/realtime/internal/origin"
)

// The kinds of lines that are not about a refusal.
const (
	kindHijack   = "hijack"
	kindUnsent   = "unsent"
	kindVerifier = "verifier"
	kindOpen     = "open"
	kindDenied   = "denied"
	kindRefresh  = "refresh"
	kindPanic    = "panic in " // and the name of the callback
)

// report counts and logs a refusal. How is the status or the close code that the
// client gets.
func (s *Service) report(a attempt, why *refusal, how slog.Attr) {
	s.metrics.Refusals.WithLabelValues(why.reason).Inc()
	attrs := []any{"reason", why.reason, how, "detail", why.detail, "address", origin.AddressText(a.client)}
	if why.user != "" {
		attrs = append(attrs, "user", why.user)
	}
	if o := why.origin; o != nil {
		attrs = append(attrs, "origin", o.Origin, "expected", o.Expected)
	}
	s.peers.Of(why.reason).Info("a connection was refused", attrs...)
}
