package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every line of the table in SECURITY.md names tests, and they exist.
func TestSecurityTable(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile(filepath.Join(top, "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(document), "| Expected | Tests |\n|---|---|\n")
	if !found {
		t.Fatal("the table is gone")
	}
	rows := 0
	for row := range strings.SplitSeq(table, "\n") {
		if !strings.HasPrefix(row, "|") {
			break
		}
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		names := regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(cells) != 2 || len(names) == 0 {
			t.Errorf("the line names no test: %s", row)
		}
		for _, name := range names {
			if !testExists(t, name[1]) {
				t.Errorf("there is no test %s", name[1])
			}
		}
		rows++
	}
	if rows < 35 {
		t.Errorf("the table has %d lines", rows)
	}
}

func testExists(t *testing.T, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(top, filepath.Dir(name), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc "+filepath.Base(name)+"(") {
			return true
		}
	}
	return false
}
