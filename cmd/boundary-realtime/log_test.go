package main

import (
	"bytes"
	"log/slog"
	"os"
	"regexp"
	"testing"
	"time"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

func TestLogFormats(t *testing.T) {
	t.Parallel()
	for format, want := range map[string]string{
		config.LogJSON:   `^\{"time":"[^"]+","level":"WARN","msg":"hello","after":"1.5s","n":1\}\n$`,
		config.LogAuto:   `^\{"time":`, // a buffer is no terminal
		config.LogLogfmt: `^time=\S+ level=WARN msg=hello after=1.5s n=1\n$`,
		config.LogText:   `^\d\d:\d\d:\d\d\.\d{3} WRN hello after=1.5s n=1\n$`,
	} {
		var out bytes.Buffer
		log := newLogger(config.Log{Level: slog.LevelWarn, Format: format}, &out)
		log.Info("not this")
		log.Warn("hello", "after", 1500*time.Millisecond, "n", 1)
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("%s: %q, want %s", format, out.String(), want)
		}
	}
}

func TestIsTerminal(t *testing.T) {
	t.Parallel()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if isTerminal(file) || isTerminal(new(bytes.Buffer)) {
		t.Error("a file or a buffer is taken for a terminal")
	}
}
