package strictjson_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"boundary-app.org/realtime/internal/strictjson"
)

// Objects at any depth may have thousands of names, and any of them may repeat any
// other, also written with an escape.
func TestRepeatedNames(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var found, clean int
	for range 400 {
		text := randomObject(random, random.IntN(3), 1+random.IntN(60))
		var repeated *strictjson.RepeatedError
		want := repeats([]byte(text))
		switch err := strictjson.Check([]byte(text)); {
		case want && !errors.As(err, &repeated), !want && err != nil:
			t.Fatalf("%s: %v, want one: %v", text, err, want)
		case want:
			found++
		default:
			clean++
		}
	}
	if found < 50 || clean < 50 {
		t.Errorf("%d with a repeated name and %d without are too few", found, clean)
	}
}

// randomObject has up to names members, a few of which are objects again.
func randomObject(random *rand.Rand, depth, names int) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range random.IntN(names + 1) {
		if i > 0 {
			b.WriteByte(',')
		}
		number := i
		if random.IntN(150) == 0 {
			number = random.IntN(names)
		}
		escape := ""
		if random.IntN(4) == 0 {
			escape = `\u006e` // n
		} else {
			escape = "n"
		}
		value := "0"
		if depth > 0 && random.IntN(8) == 0 {
			value = "[1," + randomObject(random, depth-1, names) + "]"
		}
		fmt.Fprintf(&b, `"%s%s%d":%s`, escape, strings.Repeat("x", number%11), number, value)
	}
	return b.String() + "}"
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"a":1}`:                      "",
		`{"a":1,"\u0061":2}`:           `the name "a" is given twice`,
		`[{"a":1},{"b":{"":1,"":2}}]`:  `the name "" is given twice`,
		`{"a":1,"a":2,}`:               `it is not valid JSON: invalid character '}' at byte 14, where a name must begin`,
		`{"a":1,"a":"` + "\xff" + `"}`: "it is not valid UTF-8",
		`{"a":1`:                       "it is not valid JSON: unexpected end of JSON input",
		``:                             "it is not valid JSON: unexpected end of JSON input",
		"\ufeff{}":                     `it is not valid JSON: invalid character '\ufeff' at byte 1, where a value must begin`,
		`{}{}`:                         `it is not valid JSON: invalid character '{' at byte 3, after the end of the value`,
		`[1 2]`:                        `it is not valid JSON: invalid character '2' at byte 4, after a value`,
		`{"a" 1}`:                      `it is not valid JSON: invalid character '1' at byte 6, after a name, where a colon must be`,
		`[-]`:                          `it is not valid JSON: invalid character ']' at byte 3, in a number, where a digit must be`,
		`[1.x]`:                        `it is not valid JSON: invalid character 'x' at byte 4, in a number, where a digit must be`,
		`"\q"`:                         `it is not valid JSON: invalid character 'q' at byte 3, in an escape`,
		`"\u00x0"`:                     `it is not valid JSON: invalid character 'x' at byte 6, in an escape`,
		"\"a\nb\"":                     `it is not valid JSON: invalid character '\n' at byte 3, in a string`,
		`nil`:                          `it is not valid JSON: invalid character 'i' at byte 2, in true, false or null`,
		strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000):                     "",
		strings.Repeat(`{"":`, 9_999) + "[]" + strings.Repeat("}", 9_999):             "",
		strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001):                     `it is not valid JSON: invalid character '[' at byte 10001, deeper than 10000 levels`,
		`{"` + strings.Repeat("n", 100) + `":0,"` + strings.Repeat("n", 100) + `":0}`: `the name "` + strings.Repeat("n", 64) + `" is given twice`,
	} {
		if err := strictjson.Check([]byte(text)); fmt.Sprint(err) != want && (want != "" || err != nil) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// A Reader hands out names and values in the order of the text, enters what it is
// asked to enter, and checks what was not read, too.
func TestReader(t *testing.T) {
	t.Parallel()
	text := ` {"skipped":{"x":[1]},"list":[ 1 , [2], {"y":3} ],"n\u0061me":"v"} `
	r := strictjson.NewReader([]byte(text))
	var got []string
	if r.Array() || !r.Object() {
		t.Fatal("it is an object")
	}
	for r.More() {
		got = append(got, string(r.Name()))
		switch string(r.Name()) {
		case "list":
			for r.Array(); r.More(); {
				got = append(got, string(r.Value()))
			}
		case "name":
			got = append(got, string(r.Value()))
		}
	}
	if want := "skipped list 1 [2] {\"y\":3} name \"v\""; strings.Join(got, " ") != want {
		t.Errorf("read %q, want %q", got, want)
	}
	if err := r.End(); err != nil {
		t.Error(err)
	}
}

// What was read before an error is there; nothing is read after it.
func TestReaderStopsAtAnError(t *testing.T) {
	t.Parallel()
	r := strictjson.NewReader([]byte(`{"a":1,"b":{"c":tru},"d":2}`))
	var names []string
	for r.Object(); r.More(); {
		names = append(names, string(r.Name()))
		if value := r.Value(); (value == nil) != (len(names) == 2) {
			t.Errorf("%s: %q", r.Name(), value)
		}
	}
	var syntax *strictjson.SyntaxError
	if err := r.End(); !errors.As(err, &syntax) || syntax.Offset != 19 || len(names) != 2 {
		t.Errorf("%v after %q", err, names)
	}
}

// Names with escapes stay as they are after End, when the Reader's memory serves
// another text.
func TestNamesStay(t *testing.T) {
	t.Parallel()
	r := strictjson.NewReader([]byte(`{"\u0061b":1,"plain":{"\u0063":1}}`))
	var names [][]byte
	for r.Object(); r.More(); {
		names = append(names, r.Name())
	}
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		_ = strictjson.Check([]byte(`{"\u0078\u0078\u0078\u0078":1}`))
	}
	if string(names[0]) != "ab" || string(names[1]) != "plain" {
		t.Errorf("the names are %q", names)
	}
}

// UnpairedName is about the name alone, not about its value or an earlier name.
func TestUnpairedName(t *testing.T) {
	t.Parallel()
	r := strictjson.NewReader([]byte(`{"a":"\ud800","\ud801":1,"b\ufffd":{"\ud802":1},"c":1}`))
	var unpaired []bool
	for r.Object(); r.More(); {
		unpaired = append(unpaired, r.UnpairedName())
	}
	if err := r.EndPaired(); !slices.Equal(unpaired, []bool{false, true, false, false}) || !errors.Is(err, strictjson.ErrSurrogate) {
		t.Errorf("%v, %v", unpaired, err)
	}
}
