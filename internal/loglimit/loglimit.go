// Package loglimit bounds how many log lines a remote peer can cause.
//
// It owns the rate of the lines and the count of those it left out. It never
// changes or delays a line that it lets through. Safe for concurrent use.
package loglimit

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// The rate of the lines that a remote peer can cause, for each kind of line.
const (
	Burst     = 20 // lines at once
	PerSecond = 1  // lines a second in the long run
)

// handler passes records on while its bucket has tokens.
type handler struct {
	next   slog.Handler
	bucket *bucket // shared with the handlers made by WithAttrs and WithGroup
}

type bucket struct {
	limiter    *rate.Limiter
	suppressed atomic.Uint64 // records left out since the last that was passed on
}

// New returns a logger that writes to log at most Burst lines at once and
// PerSecond lines a second in the long run. A line that follows lines that were
// left out says how many there were, as "suppressed". Make one for each kind of
// line, so that a flood of one kind does not hide the others.
func New(log *slog.Logger) *slog.Logger {
	limiter := rate.NewLimiter(PerSecond, Burst)
	return slog.New(handler{log.Handler(), &bucket{limiter: limiter}})
}

// Enabled reports what the handler behind it does. It takes no token.
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle passes a record on, or counts it. It goes by the record's own time.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	now := r.Time
	if now.IsZero() {
		now = time.Now()
	}
	if !h.bucket.limiter.AllowN(now, 1) {
		h.bucket.suppressed.Add(1)
		return nil
	}
	if n := h.bucket.suppressed.Swap(0); n > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Uint64("suppressed", n))
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs returns a handler that shares the bucket.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.next.WithAttrs(attrs), h.bucket}
}

// WithGroup returns a handler that shares the bucket.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.next.WithGroup(name), h.bucket}
}
