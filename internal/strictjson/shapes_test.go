package strictjson_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/strictjson"
)

const shapeSize = 64 << 10

// series joins what each gives for 0, 1, 2, ... until there is as much text as in
// the largest message.
func series(open, end, format string) []byte {
	var b strings.Builder
	b.WriteString(open)
	for i := 0; b.Len() < shapeSize; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
	}
	return []byte(b.String() + end)
}

// letters are members named by the letters from first to last.
func letters(first, last rune) string {
	var b strings.Builder
	for c := first; c <= last; c++ {
		fmt.Fprintf(&b, `"%c":0,`, c)
	}
	return b.String()
}

// shapes are texts of 64 KiB that are hard in different ways; they have no escapes.
var shapes = map[string][]byte{
	"deep objects":       []byte(strings.Repeat(`{"a":`, 9_999) + strings.Repeat(`{"a":1`, 1) + strings.Repeat("}", 10_000)),
	"deep pairs":         []byte(strings.Repeat(`{"a":0,"b":`, 6_000) + "0" + strings.Repeat("}", 6_000)),
	"deep, then a pair":  []byte(strings.Repeat(`{"a":`, 9_999) + `{"a":0,"b":1}` + strings.Repeat("}", 9_999)),
	"deep arrays":        []byte("[" + strings.TrimSuffix(strings.Repeat(strings.Repeat("[", 5_000)+strings.Repeat("]", 5_000)+",", 6), ",") + "]"),
	"small objects":      series("[", "]", `{"id":#,"name":"order #","total":#.5,"open":true,"tags":["a","b"]}`),
	"objects of 16":      series("[", "]", `{"a":0,"b":1,"c":2,"d":3,"e":4,"f":5,"g":6,"h":7,"i":8,"j":9,"k":0,"l":1,"m":2,"n":3,"o":4,"p":5}`),
	"numbers":            series("[", "]", `#.#`),
	"short strings":      series("[", "]", `"s#"`),
	"empty strings":      series("[", "]", `""`),
	"one long string":    []byte(`"` + strings.Repeat("x", shapeSize) + `"`),
	"beyond ASCII":       []byte(`"` + strings.Repeat("grüße", shapeSize/7) + `"`),
	"zeros":              series("[", "]", `0`),
	"literals":           series("[", "]", `true,false,null`),
	"many names":         series("{", "}", `"name#":#`),
	"many short names":   series("{", "}", `"#":0`),
	"many names, below":  series(`{"a":{"b":[{`, "}]}}", `"#":0`),
	"many objects, deep": series(strings.Repeat("[", 9_000), strings.Repeat("]", 9_000), "{"+letters('a', 'z')+letters('A', 'H')+`"":0}`),
	"long like names":    series("{", "}", `"`+strings.Repeat("n", 200)+`#`+strings.Repeat("n", 200)+`":0`),
	"space":              series("[", "]", "\n        #"),
}

// A text of any shape is checked faster than by json.Valid, which looks for neither
// repeated names nor UTF-8.
func TestCheckIsAsFastAsValid(t *testing.T) {
	skipUnderRace(t)
	for name, text := range shapes {
		const rounds = 8
		ratio := 0.0
		for range 20 { // rounds of a busy machine may be slow
			ours := best(rounds, func() {
				if err := strictjson.Check(text); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			})
			theirs := best(rounds, func() { json.Valid(text) })
			if ratio = float64(ours) / float64(theirs); ratio <= 1 {
				break
			}
		}
		if ratio > 1 {
			t.Errorf("%s: it takes %.2f times as long as json.Valid", name, ratio)
		}
	}
}

// skipUnderRace leaves out what the race detector falsifies: times, and what is
// kept in a sync.Pool. "make unit" runs it without.
func skipUnderRace(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector is on")
	}
}

// best returns the shortest time of some calls.
func best(rounds int, call func()) time.Duration {
	shortest := time.Hour
	for range rounds {
		start := time.Now()
		call()
		shortest = min(shortest, time.Since(start))
	}
	return shortest
}

// The time grows with the length of the text, not with its square: also when an
// object has very many names, and when objects with many equal names are nested.
func TestCheckIsLinear(t *testing.T) {
	skipUnderRace(t)
	for name, text := range map[string]func(n int) []byte{
		"names": func(n int) []byte {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, `"%d":0,`, i)
			}
			return []byte("{" + b.String() + `"":0}`)
		},
		"nested names": func(n int) []byte {
			var level strings.Builder
			for i := range 20 {
				fmt.Fprintf(&level, `"%d":0,`, i)
			}
			depth := min(n/21, 9_999)
			return []byte(strings.Repeat("{"+level.String()+`"":`, depth) + "0" + strings.Repeat("}", depth))
		},
	} {
		small, large := text(1_000), text(16_000)
		ratio := 0.0
		for range 10 {
			perByte := func(text []byte) float64 {
				return float64(best(4, func() {
					if err := strictjson.Check(text); err != nil {
						t.Fatal(err)
					}
				})) / float64(len(text))
			}
			if ratio = perByte(large) / perByte(small); ratio < 4 {
				break
			}
		}
		if ratio >= 4 { // a quadratic one would be 16 times as slow
			t.Errorf("%s: 16 times the text takes %.1f times as long for each byte", name, ratio)
		}
	}
}

// Text without escapes costs no allocation, whatever its shape.
func TestCheckAllocatesNothing(t *testing.T) {
	skipUnderRace(t)
	for name, text := range shapes {
		if allocs := testing.AllocsPerRun(20, func() { _ = strictjson.Check(text) }); allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	for name, text := range shapes {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			_ = strictjson.Check(text) // leaves a Reader with memory in the pool
			for b.Loop() {
				if err := strictjson.Check(text); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/json.Valid", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if !json.Valid(text) {
					b.Fatal("not valid")
				}
			}
		})
	}
}
