package realtime

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"boundary-app.org/realtime/internal/revocation"
)

// What comes to be told when the service has left the bus is logged in its place.
func TestNothingIsToldAfterTheEnd(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	svc, err := New(Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	svc.tell(revocationOrder{Keys: []revocation.Key{{Kind: revocation.TokenID, Value: "t1"}}})
	if text := log.String(); strings.Count(text, "other nodes do not know of a revoked token") != 1 || !strings.Contains(text, "leaving the bus") {
		t.Errorf("the log: %s", text)
	}
}
