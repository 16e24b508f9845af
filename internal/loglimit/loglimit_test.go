package loglimit_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime/internal/loglimit"
)

// lines returns how many lines were written, and what the last one says was
// suppressed.
func lines(t *testing.T, out *bytes.Buffer) (n int, suppressed uint64) {
	t.Helper()
	for decoder := json.NewDecoder(out); decoder.More(); n++ {
		var line struct{ Suppressed uint64 }
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		suppressed = line.Suppressed
	}
	return n, suppressed
}

func TestLinesAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := loglimit.New(slog.New(slog.NewJSONHandler(&out, nil)))
		for range 1000 {
			log.Info("refused")
			log.Debug("not enabled: takes no token")
		}
		if n, suppressed := lines(t, &out); n != loglimit.Burst || suppressed != 0 {
			t.Errorf("%d lines at once (suppressed %d), want %d", n, suppressed, loglimit.Burst)
		}
		time.Sleep(time.Second)
		log.With("a", 1).WithGroup("g").Info("refused")
		log.Info("refused")
		if n, _ := lines(t, &out); n != 1 {
			t.Errorf("%d lines a second later, want one: derived loggers share the rate", n)
		}
		time.Sleep(time.Second)
		log.Info("refused")
		if n, suppressed := lines(t, &out); n != 1 || suppressed != 1 {
			t.Errorf("%d lines, suppressed %d; want one line that tells of one", n, suppressed)
		}
	})
}

func TestSuppressedLinesAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := loglimit.New(slog.New(slog.NewJSONHandler(&out, nil)))
		for range 120 {
			log.Info("refused")
		}
		lines(t, &out)
		time.Sleep(time.Second)
		log.Info("refused")
		if n, suppressed := lines(t, &out); n != 1 || suppressed != 100 {
			t.Errorf("%d lines, suppressed %d; want one line that tells of 100", n, suppressed)
		}
	})
}
