package socket

import (
	"fmt"
	"slices"
	"testing"
	"unicode/utf8"
)

var validTexts = map[string]string{
	"greek":            "κόσμε",
	"mixed":            "Hello-µ@ßöäüàá-UTF-8!!",
	"U+0080":           "\xC2\x80",
	"U+07FF":           "\xDF\xBF",
	"U+0800":           "\xE0\xA0\x80",
	"U+D7FF":           "\xED\x9F\xBF",
	"U+E000":           "\xEE\x80\x80",
	"U+FFFD":           "\xEF\xBF\xBD",
	"U+FFFE":           "\xEF\xBF\xBE",
	"U+FFFF":           "\xEF\xBF\xBF",
	"U+10000":          "\xF0\x90\x80\x80",
	"U+10FFFF":         "\xF4\x8F\xBF\xBF",
	"NUL":              "a\x00b",
	"non-character":    "\xF0\x9F\xBF\xBF \xF4\x8F\xBF\xBE",
	"long then rune":   "0123456789abcdef0123456789abcdef\xF0\x9F\x98\x80",
	"runes of 3 and 4": "\xE2\x82\xAC\xF0\x9F\x98\x80\xE2\x82\xAC\xF0\x9F\x98\x80",
}

// invalidTexts says at which octet (counted from one) each text cannot become valid any more;
// zero if only its end makes it invalid.
var invalidTexts = map[string]struct {
	text string
	at   int
}{
	"surrogate":                  {"ab\xED\xA0\x80cd", 4},
	"high surrogate end":         {"\xED\xAF\xBF", 2},
	"low surrogate":              {"\xED\xB0\x80", 2},
	"surrogate pair":             {"\xED\xA0\x80\xED\xB0\x80", 2},
	"over-long 2":                {"\xC0\xAF", 1},
	"over-long 2, largest":       {"\xC1\xBF", 1},
	"over-long 3":                {"\xE0\x80\xAF", 2},
	"over-long 3, largest":       {"\xE0\x9F\xBF", 2},
	"over-long 4":                {"\xF0\x80\x80\xAF", 2},
	"over-long 4, largest":       {"\xF0\x8F\xBF\xBF", 2},
	"5 octets":                   {"\xF8\x88\x80\x80\x80", 1},
	"6 octets":                   {"\xFC\x84\x80\x80\x80\x80", 1},
	"above U+10FFFF":             {"κ\xF4\x90\x80\x80", 4},
	"F5":                         {"\xF5\x80\x80\x80", 1},
	"FE":                         {"\xFE", 1},
	"FF":                         {"a\xFF", 2},
	"lone 80":                    {"\x80", 1},
	"lone BF":                    {"a\xBFb", 2},
	"continuations":              {"\x80\xBF\x80\xBF", 1},
	"lone lead 2":                {"\xC3 ", 2},
	"lone lead 3":                {"\xE2 ", 2},
	"lone lead 4":                {"\xF0 ", 2},
	"3 cut after 2":              {"\xE2\x82 ", 3},
	"4 cut after 3":              {"\xF0\x9F\x98 ", 4},
	"lead after lead":            {"\xE2\xE2\x82\xAC", 2},
	"bad after a long good part": {"0123456789abcdef0123456789abcdef\xFF0123456789abcdef", 33},
	"end inside 2":               {"a\xC3", 0},
	"end inside 3":               {"\xE2\x82", 0},
	"end inside 4":               {"\xF0\x9F\x98", 0},
	"end after lead 4":           {"abc\xF0", 0},
}

// fragments returns text as a message of frames of one octet each, with an empty one at each end.
func fragments(text string) [][]byte {
	all := frames(part(OpText, ""))
	for _, c := range []byte(text) {
		all = append(all, part(OpContinuation, string([]byte{c})))
	}
	return append(all, fin(OpContinuation, ""))
}

func TestGroup6UTF8(t *testing.T) {
	table := []stimulus{
		{name: "empty", frames: frames(fin(OpText, "")), want: want(`text ""`)},
		{name: "empty fragments", frames: fragments(""), want: want(`text ""`)},
		{
			name:   "binary is not checked",
			frames: frames(fin(OpBinary, "\xFF"), part(OpBinary, "\xC3"), fin(OpContinuation, "\xC3")),
			want:   want(`binary "\xff"`, `binary "\xc3\xc3"`),
		},
		{
			name:   "nothing is carried from one message to the next",
			frames: append(fragments("\xE2\x82\xAC"), fragments("\xE2\x82\xAC")...),
			want:   want(`text "€"`, `text "€"`),
		},
		{
			name:   "after binary",
			frames: append(frames(part(OpBinary, "\xFF"), fin(OpContinuation, "\xFF")), fragments("\xFF")...),
			want:   want(`binary "\xff\xff"`, "fail 1007"),
		},
	}
	for name, text := range validTexts {
		wanted := want(fmt.Sprintf("text %q", text))
		table = append(table,
			stimulus{name: "valid/" + name, frames: frames(fin(OpText, text)), want: wanted},
			stimulus{name: "valid fragments/" + name, frames: fragments(text), want: wanted},
		)
	}
	for name, bad := range invalidTexts {
		table = append(table,
			stimulus{name: "invalid/" + name, frames: frames(fin(OpText, bad.text)), want: want("fail 1007")},
			stimulus{name: "invalid fragments/" + name, frames: fragments(bad.text), want: want("fail 1007")},
		)
	}
	runAll(t, table)
}

// A text must fail at the very octet after which it cannot become valid, not at the end of its frame.
func TestGroup6UTF8FailsEarly(t *testing.T) {
	t.Parallel()
	for name, bad := range invalidTexts {
		if bad.at == 0 {
			continue
		}
		frame := fin(OpText, bad.text+"tail")
		header := len(frame) - len(bad.text) - len("tail")
		if at := failsAt(chop(frame, 1)) - header; at != bad.at {
			t.Errorf("%s: octet by octet fails at %d, want %d", name, at, bad.at)
		}
		// Fragments: one frame more at the start, so that fragment n+1 carries octet n.
		if at := failsAt(fragments(bad.text+"tail")) - 1; at != bad.at {
			t.Errorf("%s: fragment by fragment fails at %d, want %d", name, at, bad.at)
		}
		cut := [][]byte{frame[:header+bad.at-1], frame[header+bad.at-1 : header+bad.at]}
		if at := failsAt(cut); at != 2 {
			t.Errorf("%s: in two chops fails at %d, want 2", name, at)
		}
	}
}

// failsAt returns after how many chunks a server's Reader fails, or 0.
func failsAt(chunks [][]byte) int {
	var r Reader
	for i, chunk := range chunks {
		if _, _, err := r.Next(&Config{}, false, slices.Clone(chunk)); err != nil {
			return i + 1
		}
	}
	return 0
}

func FuzzValidPrefix(f *testing.F) {
	for _, text := range validTexts {
		f.Add([]byte(text))
	}
	for _, bad := range invalidTexts {
		f.Add([]byte(bad.text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := validPrefix(b)
		if ok != canBecomeValid(b) {
			t.Fatalf("validPrefix(%x) = %d, %v", b, n, ok)
		}
		if ok && (!utf8.Valid(b[:n]) || len(b)-n >= utf8.UTFMax || n < len(b) && utf8.FullRune(b[n:])) {
			t.Fatalf("validPrefix(%x) = %d", b, n)
		}
	})
}

// canBecomeValid is the slow way: decode rune by rune, and try every ending.
func canBecomeValid(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			break
		}
		b = b[n:]
	}
	if len(b) == 0 {
		return true
	}
	if len(b) >= utf8.UTFMax {
		return false
	}
	for _, second := range []byte{0x80, 0x90, 0xA0} {
		ending := append(slices.Clone(b), second, 0x80, 0x80)
		for n := len(b) + 1; n <= utf8.UTFMax; n++ {
			if utf8.Valid(ending[:n]) {
				return true
			}
		}
	}
	return false
}
