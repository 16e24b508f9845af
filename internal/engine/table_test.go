package engine

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// element has a hash of its own choosing, so that tests make collisions.
type element struct {
	name int
	h    uint32
}

func (e *element) hash() uint32 { return e.h }

// TestTableIsASet holds the table against a Go map under random operations, with
// few distinct hashes so that runs of collisions wrap around.
func TestTableIsASet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var tab table[*element]
		model := map[int]*element{}
		for range rapid.IntRange(0, 200).Draw(t, "operations") {
			name := rapid.IntRange(0, 40).Draw(t, "name")
			hash := uint32(name*name) % 11
			if e := model[name]; e == nil {
				e = &element{name, hash}
				model[name] = e
				tab.add(e)
			} else if rapid.Bool().Draw(t, "remove") {
				delete(model, name)
				tab.remove(e)
				tab.remove(e) // a second time does nothing
			}
			for name := range 41 {
				got := tab.find(uint32(name*name)%11, func(e *element) bool { return e.name == name })
				if got != model[name] {
					t.Fatalf("find %d: %v, want %v", name, got, model[name])
				}
			}
		}
		var names []int
		tab.all(func(e *element) bool { names = append(names, e.name); return true })
		slices.Sort(names)
		if want := slices.Sorted(maps.Keys(model)); !slices.Equal(names, want) {
			t.Fatalf("all: %v, want %v", names, want)
		}
	})
}
