//go:build unix

package doctest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseBlocks(t *testing.T) {
	t.Parallel()
	text := "# Title\n\n```sh terminal=2 wait=8080\na\n\nb\n```\ntext\n```js browser\nc\n```\n```\nd\n```\n"
	got, err := parseBlocks("x.md", text)
	want := []block{
		{"x.md:3", "sh", map[string]string{"terminal": "2", "wait": "8080"}, "a\n\nb\n"},
		{"x.md:9", "js", map[string]string{"browser": ""}, "c\n"},
		{"x.md:12", "", map[string]string{}, "d\n"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v; (-want +got):\n%s", err, diff)
	}
	if _, err := parseBlocks("x.md", "```sh\na\n"); err == nil {
		t.Error("a block without an end is no error")
	}
}

func TestMissingLine(t *testing.T) {
	t.Parallel()
	printed := []string{"noise", `{"recipients":1}`, "noise", "connected as u1 (x7)"}
	for want, missing := range map[string]string{
		"{\"recipients\":1}\n":                      "",
		"{\"recipients\":1}\nconnected as u1 (…)\n": "",
		"connected as u1 (…)\n{\"recipients\":1}\n": `{"recipients":1}`,
		"{\"recipients\":2}\n":                      `{"recipients":2}`,
		"connected as u1\n":                         "connected as u1",
		"…connected…\n":                             "",
	} {
		if got := missingLine(want, printed); got != missing {
			t.Errorf("%q: %q is missing, want %q", want, got, missing)
		}
	}
}
