package strictjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"boundary-app.org/realtime/internal/strictjson"
)

var seeds = []string{
	`{"a":1,"b":[{"a":{}},{"a":null}]}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `[{"x":{"y":1,"y":2}}]`, `{"a:b":":","c\"":":"}`,
	`{}{}`, `1 2`, `{"\ud800":1,"\udfff":2}`, `{"\ud800":1,"\ufffd":2}`, `{"\ud83d\ude00":1,"😀":2}`, "{\"\xff\":1}", "\ufeff{}", `[[[[]]]]`,
	`"`, `nul`, `nulll`, `tru`, `falsy`, ``, ` `, `{"A":1,"a":2}`, `-0`, `1e999`, `-`, `01`, `1.`, `1.e1`, `1e`, `1e+`, `.5`, `+1`, `0x1`, `-01`, `1E-0`,
	`"\`, `"\u`, `"\u12`, `"\u12g4"`, `"\x"`, "\"\n\"", `"\ud800\u"`, `[1,]`, `[,1]`, `{,}`, `{"a":1,}`, `{"a"}`, `{"a":}`, `{1:2}`, `[}`, `{]`, `[1}`, `{"a":1]`,
	`[1 2]`, `{"a" "b"}`, "\v1", " \t\r\n[ 1 , { \"a\" : 2 } ] \n", `{"":0,"":0}`, `["",{}]`, `nan`, `Infinity`, `/**/1`, `'a'`, `{a:1}`, "[\u00a01]",
	`{"0":0,"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":{"0":0,"a":0},"i":0,"\u0061":0}`,
}

// repeats says, the slow way, whether an object of a valid text has a name twice.
func repeats(text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var open []map[string]bool // nil for an array
	name := false
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		if key, ok := token.(string); ok && name {
			seen := open[len(open)-1]
			if seen[key] {
				return true
			}
			seen[key], name = true, false
			continue
		}
		switch token {
		case json.Delim('{'):
			open = append(open, map[string]bool{})
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}

// unpairedSurrogate looks for one in a valid text, the slow way.
func unpairedSurrogate(text []byte) bool {
	text = bytes.ReplaceAll(text, []byte(`\\`), nil)
	for {
		i := bytes.Index(text, []byte(`\u`))
		if i < 0 {
			return false
		}
		first := unit(text[i+2:])
		text = text[i+6:]
		if !utf16.IsSurrogate(first) {
			continue
		}
		if !bytes.HasPrefix(text, []byte(`\u`)) || utf16.DecodeRune(first, unit(text[2:])) == utf8.RuneError {
			return true
		}
		text = text[6:]
	}
}

func unit(digits []byte) rune {
	n := rune(0)
	for _, c := range strings.ToLower(string(digits[:4])) {
		n = n<<4 | rune(strings.IndexRune("0123456789abcdef", c))
	}
	return n
}

// What is wrong with a text is what encoding/json finds, and then what reading it
// token by token finds.
func FuzzCheck(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := strictjson.Check(text)
		var syntax *strictjson.SyntaxError
		var repeated *strictjson.RepeatedError
		switch {
		case !json.Valid(text):
			if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(text) {
				t.Fatalf("%q: %v, want a SyntaxError", text, err)
			}
		case !utf8.Valid(text):
			if !errors.Is(err, strictjson.ErrUTF8) {
				t.Fatalf("%q: %v, want ErrUTF8", text, err)
			}
		case repeats(text):
			if !errors.As(err, &repeated) {
				t.Fatalf("%q: %v, want a RepeatedError", text, err)
			}
		case err != nil:
			t.Fatalf("%q: %v", text, err)
		}
	})
}

// The members and elements of a text are what encoding/json says they are, however
// far a Reader goes into it.
func FuzzReader(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed), uint64(0b1011))
	}
	f.Fuzz(func(t *testing.T, text []byte, choices uint64) {
		r := strictjson.NewReader(text)
		read(t, r, text, choices)
		err, want := r.EndPaired(), strictjson.Check(text)
		if want == nil && unpairedSurrogate(text) {
			want = strictjson.ErrSurrogate
		}
		if !errors.Is(err, want) && err.Error() != want.Error() {
			t.Fatalf("%q: %v, want %v", text, err, want)
		}
	})
}

// read reads a value, entering it or not as the choices say, and compares it with
// text, which is what is left when the text is valid.
func read(t *testing.T, r *strictjson.Reader, text []byte, choices uint64) {
	t.Helper()
	enter, choices := choices&1 == 1, choices>>1
	valid := utf8.Valid(text) && json.Valid(text)
	switch {
	case enter && r.Object():
		readObject(t, r, text, valid, choices)
	case enter && r.Array():
		var want []json.RawMessage
		_ = json.Unmarshal(text, &want)
		n := 0
		for ; r.More(); n++ {
			var element []byte
			if valid {
				element = want[n]
			}
			read(t, r, element, choices)
		}
		if valid && n != len(want) {
			t.Fatalf("%q: %d elements, want %d", text, n, len(want))
		}
	default:
		if value := r.Value(); valid && !bytes.Equal(value, bytes.TrimSpace(text)) {
			t.Fatalf("%q: read as %q", text, value)
		}
	}
}

func readObject(t *testing.T, r *strictjson.Reader, text []byte, valid bool, choices uint64) {
	t.Helper()
	var want map[string]json.RawMessage
	_ = json.Unmarshal(text, &want)
	var names []string
	for r.More() {
		name := string(r.Name())
		value, known := want[name]
		if valid && !known {
			t.Fatalf("%q: has no name %q", text, name)
		}
		if slices.Contains(names, name) {
			value = nil // want has the last of them, and this may be the first
		}
		names = append(names, name)
		if choices&1 == 1 || repeats(text) {
			continue // More skips the value
		}
		read(t, r, value, choices)
	}
	slices.Sort(names)
	if valid && len(slices.Compact(names)) != len(want) {
		t.Fatalf("%q: the names %q", text, names)
	}
}

// Unquote returns what encoding/json returns, except for unpaired surrogate escapes.
func FuzzUnquote(f *testing.F) {
	for _, seed := range []string{`"a"`, `"\u0061\n\ud83d\ude00"`, `"\ud800"`, `"\udc00\ud800"`, `"\\ud800"`, `""`, `"`, `7`, ``, `"a"b`, `"a" `, `"\`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !utf8.Valid(raw) {
			return
		}
		text, err := strictjson.Unquote(raw)
		var want string
		switch isText := len(raw) > 0 && raw[0] == '"' && raw[len(raw)-1] == '"' && json.Unmarshal(raw, &want) == nil; {
		case !isText:
			if !errors.Is(err, strictjson.ErrNotString) || text != "" {
				t.Fatalf("%q says %q, %v", raw, text, err)
			}
		case unpairedSurrogate(raw):
			if !errors.Is(err, strictjson.ErrSurrogate) || text != "" {
				t.Fatalf("%q says %q, %v", raw, text, err)
			}
		case err != nil || text != want:
			t.Fatalf("%q says %q, %v; want %q", raw, text, err, want)
		}
	})
}
