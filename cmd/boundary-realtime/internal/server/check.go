package server

import (
	"context"
	"log/slog"
	"time"
)

// checkEvery is how often dev mode has the service check itself.
const checkEvery = 10 * time.Second

// checkConsistency checks again and again, and logs what is found, until ctx is
// done.
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
			log.Error("the service contradicts itself, which is a bug of it; please report it", "error", err)
		}
	}
}
