package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestConsistencyIsCheckedAndLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 35*time.Second)
		defer cancel()
		checks := 0
		checkConsistency(ctx, func() error {
			if checks++; checks == 2 {
				return errors.New("a slot is lost")
			}
			return nil
		}, slog.New(slog.NewTextHandler(&log, nil)))
		if checks != 3 || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "a slot is lost") {
			t.Errorf("%d checks, logged %q", checks, log.String())
		}
	})
}
