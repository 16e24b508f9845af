package wire_test

import (
	"errors"
	"testing"

	"boundary-app.org/realtime/wire"
)

func TestText(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`""`: "", `"a"`: "a", `"\n\\u\"\/"`: "\n\\u\"/", `"\u0041"`: "A",
		`"\ud83d\ude00"`: "😀", `"\uD83D\uDE00\ud83d\ude00"`: "😀😀", `"a\ufffdb"`: "a\uFFFDb", "\"\uFFFD\"": "\uFFFD",
		`"\\ud800"`: `\ud800`,
	} {
		if got, err := wire.Text([]byte(raw)); err != nil || got != want {
			t.Errorf("%s says %q (%v), want %q", raw, got, err, want)
		}
	}
	for raw, want := range map[string]error{
		`"\ud800"`: wire.ErrSurrogate, `"\udfff"`: wire.ErrSurrogate, `"\ud800\ud800"`: wire.ErrSurrogate,
		`"\udc00\ud800"`: wire.ErrSurrogate, `"\ud800\n\udc00"`: wire.ErrSurrogate, `"\ud800x\udc00"`: wire.ErrSurrogate,
		`"a\uDBFF"`: wire.ErrSurrogate, `"\ud83d\ude00\ude00"`: wire.ErrSurrogate, `"\\\ud800"`: wire.ErrSurrogate,
		``: wire.ErrNotText, `7`: wire.ErrNotText, `null`: wire.ErrNotText, `"`: wire.ErrNotText, `["a"]`: wire.ErrNotText,
	} {
		if got, err := wire.Text([]byte(raw)); !errors.Is(err, want) || got != "" {
			t.Errorf("%s says %q (%v), want %v", raw, got, err, want)
		}
	}
}
