package config

import (
	"os"
	"strings"
	"testing"
)

// TestReferenceIsDocumented holds the file in the documentation against the table.
func TestReferenceIsDocumented(t *testing.T) {
	t.Parallel()
	documented, err := os.ReadFile("../../../../docs/boundary-realtime.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := PrintReference(&out); err != nil {
		t.Fatal(err)
	}
	if string(documented) != out.String() {
		t.Error("docs/boundary-realtime.yaml is not what `boundary-realtime check-config --reference` prints; write it again")
	}
}
