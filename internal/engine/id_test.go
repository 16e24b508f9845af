package engine

import "testing"

// An id goes into commands and paths as it is, and back.
func TestID(t *testing.T) {
	t.Parallel()
	seen := map[ID]bool{}
	for range 10_000 {
		id := NewID()
		text := id.String()
		if back, ok := ParseID(text); !ok || back != id || len(text) != 22 || text[0] == '-' {
			t.Fatalf("%q is read as %v, %v", text, back, ok)
		}
		seen[id] = true
	}
	if len(seen) != 10_000 {
		t.Errorf("%d different ids", len(seen))
	}
}
