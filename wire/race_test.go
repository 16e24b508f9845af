//go:build race

package wire_test

import "testing"

// skipUnderRace leaves out what the race detector falsifies: what is kept in a
// sync.Pool. "make unit" runs it without.
func skipUnderRace(t *testing.T) {
	t.Helper()
	t.Skip("the race detector is on")
}
