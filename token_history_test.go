package realtime

import (
	"errors"
	"testing"
	"time"
)

// A connection that has ended takes no token, and one that was never refreshed
// keeps nothing besides its own.
func TestReplace(t *testing.T) {
	t.Parallel()
	_, c := connected(t)
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
