package realtime

import (
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

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
	kindListener = "listener"
	kindPanic    = "panic in " // and the name of the callback
)

// report counts and logs a refusal. How is the status or the close code that the
// client gets.
func (s *Service) report(a attempt, r *refusal, how slog.Attr) {
	s.metrics.Refusals.WithLabelValues(r.reason).Inc()
	attrs := []any{"reason", r.reason, how, "detail", r.detail, "address", origin.AddressText(a.address)}
	if r.user != "" {
		attrs = append(attrs, "user", r.user)
	}
	if o := r.origin; o != nil {
		attrs = append(attrs, "origin", o.Origin, "expected", o.Expected)
	}
	s.peers.Of(r.reason).Info("a connection was refused", attrs...)
}

// reportClose logs the end of a connection: at debug or, when the server has closed
// it for what its client did, at info with the user and the reason, at a limited
// rate. Any other end says neither: a reason may come from the client, and who was
// revoked is not for the log.
func (s *Service) reportClose(c *Conn, code CloseCode, reason string) {
	lived := slog.Duration("duration", time.Since(c.CreatedAt()).Round(time.Millisecond))
	if c.core.EndedByPeer() || !isOffence(code) {
		s.log.Debug("connection closed", "connection", c.ID(), "code", int(code), lived)
		return
	}
	s.peers.Of("close "+strconv.Itoa(int(code))).Info("a connection was closed for what its client did",
		"connection", c.ID(), "user", c.UserID(), "code", int(code), "reason", reason, lived)
}

// isOffence reports whether a code says that the client broke a limit or the
// protocol. 4012 does not: clients that vanish are an ordinary sight.
func isOffence(code CloseCode) bool {
	switch code {
	case CloseProtocolError, CloseInvalidData, CloseTooBig,
		CloseTooSlow, CloseTooManyRequests, CloseTopicLimit:
		return true
	}
	return false
}

// hide returns a text without the token that it may quote, as it is or as a part
// of a URL.
func hide(text, token string) string {
	if token == "" {
		return text
	}
	const hidden = "[redacted]"
	text = strings.ReplaceAll(text, token, hidden)
	text = strings.ReplaceAll(text, url.QueryEscape(token), hidden)
	return strings.ReplaceAll(text, url.PathEscape(token), hidden)
}

// verifierError is an error of a Verifier's, which may quote the token: that of a
// failed request does when the token is in its URL.
type verifierError struct {
	error
	token string
}

func (e verifierError) Error() string { return hide(e.error.Error(), e.token) }
func (e verifierError) Unwrap() error { return e.error }

// hidePanic lets a panic go on without the token in its text.
func hidePanic(token string) {
	if reason := recover(); reason != nil {
		panic(hide(fmt.Sprint(reason), token))
	}
}
