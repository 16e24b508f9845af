package server

import (
	"context"
	"log/slog"
	"time"
)

// checkEvery is the interval of the consistency checks in dev mode.
const checkEvery = 10 * time.Second

// checkConsistency checks at an interval until ctx is done, and logs an inconsistency.
func checkConsistency(ctx context.Context, check func() error, log *slog.Logger) {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := check(); err != nil {
			log.Error("the state of the service is inconsistent, which is a bug; please report it", "error", err)
		}
	}
}
