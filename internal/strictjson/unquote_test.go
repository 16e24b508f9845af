package strictjson_test

import (
	"errors"
	"testing"

	"boundary-app.org/realtime/internal/strictjson"
)

func TestUnquote(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`""`: "", `"a"`: "a", `"\n\\u\"\/"`: "\n\\u\"/", `"\u0041"`: "A",
		`"\ud83d\ude00"`: "😀", `"\uD83D\uDE00\ud83d\ude00"`: "😀😀", `"a\ufffdb"`: "a\uFFFDb", "\"\uFFFD\"": "\uFFFD",
		`"\\ud800"`: `\ud800`,
	} {
		if got, err := strictjson.Unquote([]byte(raw)); err != nil || got != want {
			t.Errorf("%s is read as %q (%v), want %q", raw, got, err, want)
		}
	}
	for raw, want := range map[string]error{
		`"\ud800"`: strictjson.ErrSurrogate, `"\udfff"`: strictjson.ErrSurrogate, `"\ud800\ud800"`: strictjson.ErrSurrogate,
		`"\udc00\ud800"`: strictjson.ErrSurrogate, `"\ud800\n\udc00"`: strictjson.ErrSurrogate, `"\ud800x\udc00"`: strictjson.ErrSurrogate,
		`"a\uDBFF"`: strictjson.ErrSurrogate, `"\ud83d\ude00\ude00"`: strictjson.ErrSurrogate, `"\\\ud800"`: strictjson.ErrSurrogate,
		``: strictjson.ErrNotString, `7`: strictjson.ErrNotString, `null`: strictjson.ErrNotString, `"`: strictjson.ErrNotString, `["a"]`: strictjson.ErrNotString,
	} {
		if got, err := strictjson.Unquote([]byte(raw)); !errors.Is(err, want) || got != "" {
			t.Errorf("%s is read as %q (%v), want %v", raw, got, err, want)
		}
	}
}
