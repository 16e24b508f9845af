package engine

import (
	"testing"

	"boundary-app.org/realtime/bus"
)

// An id goes into commands and paths as it is, and back. The bus finds its node.
func TestID(t *testing.T) {
	t.Parallel()
	seen := map[ID]bool{}
	for range 1000 {
		node := bus.NewNodeID()
		ids := newIDs(node)
		for range 10 {
			id := ids.next()
			text := id.String()
			if back, ok := ParseID(text); !ok || back != id || len(text) != 22 || text[0] == '-' || bus.NodeOf(text) != node {
				t.Fatalf("%q of node %q is read as %v, %v of %q", text, node, back, ok, bus.NodeOf(text))
			}
			seen[id] = true
		}
	}
	if len(seen) != 10_000 {
		t.Errorf("%d different ids", len(seen))
	}
}
