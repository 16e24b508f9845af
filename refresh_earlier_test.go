package realtime

import (
	"errors"
	"log/slog"
	"testing"
	"time"
)

// A connection that has ended takes no token, and one that was never refreshed
// keeps nothing besides its own.
func TestReplace(t *testing.T) {
	t.Parallel()
	svc, err := New(Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = svc.Shutdown(t.Context()) }()
	c, err := svc.Connect(t.Context(), silent{}, ConnectOptions{Identity: &Identity{UserID: "u1", TokenID: "t1"}})
	if err != nil {
		t.Fatal(err)
	}
	if c.earlier.Load() != nil || len(c.tokens()) != 1 {
		t.Errorf("it has the tokens %v", c.tokens())
	}
	second := pack(&Identity{UserID: "u1", TokenID: "t2"})
	if err := c.replace(second, time.Now()); err != nil || len(c.tokens()) != 2 {
		t.Errorf("it has the tokens %v (%v)", c.tokens(), err)
	}
	c.Close(0, "")
	if err := c.replace(second, time.Now()); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
