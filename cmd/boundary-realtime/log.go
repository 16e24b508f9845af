package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/lmittmann/tint"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

func newLogger(cfg config.Log, w io.Writer) *slog.Logger {
	return slog.New(newHandler(cfg.Format, cfg.Level, w))
}

func newHandler(format string, level slog.Leveler, w io.Writer) slog.Handler {
	if format == config.LogAuto {
		format = config.LogJSON
		if isTerminal(w) {
			format = config.LogText
		}
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: spellDuration}
	switch format {
	case config.LogText:
		return tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: "15:04:05.000", NoColor: !isTerminal(w) || os.Getenv("NO_COLOR") != ""})
	case config.LogLogfmt:
		return slog.NewTextHandler(w, options)
	}
	return slog.NewJSONHandler(w, options)
}

// spellDuration writes durations as 30s; JSON would have nanoseconds.
func spellDuration(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
