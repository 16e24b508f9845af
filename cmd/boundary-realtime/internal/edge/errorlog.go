package edge

import (
	"bytes"
	"context"
	"log"
	"log/slog"

	"boundary-app.org/realtime/internal/loglimit"
)

// errorLog passes on the lines of net/http, which remote peers cause, at a limited rate.
// Lines about TLS have their own rate, since everyone who reaches the port can cause them.
type errorLog struct{ tls, other *slog.Logger }

func newErrorLog(to *slog.Logger) *log.Logger {
	return log.New(errorLog{loglimit.New(to), loglimit.New(to)}, "", 0)
}

// Write logs a line.
func (l errorLog) Write(line []byte) (int, error) {
	to := l.other
	if bytes.HasPrefix(line, []byte("http: TLS handshake error")) {
		to = l.tls
	}
	to.Log(context.Background(), slog.LevelWarn, string(bytes.TrimSpace(line)))
	return len(line), nil
}
