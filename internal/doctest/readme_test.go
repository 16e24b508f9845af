//go:build unix

package doctest

import "testing"

// follow reads a document from top to bottom, as a newcomer does.
func follow(t *testing.T, file string) {
	t.Helper()
	blocks, err := readBlocks(file)
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t)
	for _, b := range blocks {
		r.read(b)
	}
}

func TestREADME(t *testing.T) {
	t.Parallel()
	follow(t, root+"/README.md")
}

func TestGuide(t *testing.T) {
	t.Parallel()
	follow(t, root+"/docs/guide.md")
}
