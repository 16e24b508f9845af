package loglimit

import (
	"log/slog"
	"sync"
)

// Kinds is a logger for each kind of line, all of which write to one. Safe for
// concurrent use.
type Kinds struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[string]*slog.Logger // guarded by mu
}

// NewKinds returns loggers that write to log.
func NewKinds(log *slog.Logger) *Kinds {
	return &Kinds{log: log, kinds: map[string]*slog.Logger{}}
}

// Of returns the logger of a kind of line, which New has made. There must be few
// kinds, and no text of a remote peer among them: a logger is kept for each.
func (k *Kinds) Of(kind string) *slog.Logger {
	k.mu.Lock()
	defer k.mu.Unlock()
	limited := k.kinds[kind]
	if limited == nil {
		limited = New(k.log)
		k.kinds[kind] = limited
	}
	return limited
}
