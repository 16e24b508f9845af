package wire_test

import (
	"strings"
	"testing"

	"boundary-app.org/realtime/wire"
)

// A command may be as long as a first message, and no longer.
func TestLengthOfACommand(t *testing.T) {
	t.Parallel()
	text := func(size int) []byte {
		const rest = `{"action":"refresh","token":""}`
		return []byte(`{"action":"refresh","token":"` + strings.Repeat("t", size-len(rest)) + `"}`)
	}
	if _, _, err := wire.ParseCommand(text(16 << 10)); err != nil {
		t.Error(err)
	}
	if _, _, err := wire.ParseCommand(text(16<<10 + 1)); err == nil || err.Code != wire.CodeMalformed {
		t.Error(err)
	}
}

// A command is read without an allocation beyond the command and its strings.
func TestParseCommandAllocatesLittle(t *testing.T) {
	skipUnderRace(t)
	for text, want := range map[string]float64{
		`{"action":"ping"}`:                                                0,
		`{"action":"ping","ref":"r1"}`:                                     0,
		`{"action":"subscribe","topic":"order:123","ref":1}`:               2,
		`{"action":"subscribe","topic":"order:123","ref":1,"since":"p12"}`: 3,
		`{"action":"refresh","token":"a.b.c","ref":1}`:                     2,
	} {
		data := []byte(text)
		if allocs := testing.AllocsPerRun(100, func() { _, _, _ = wire.ParseCommand(data) }); allocs != want {
			t.Errorf("%s: %v allocations, want %v", text, allocs, want)
		}
	}
}

func BenchmarkParseCommand(b *testing.B) {
	data := []byte(`{"action":"subscribe","topic":"order:123","ref":1}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := wire.ParseCommand(data); err != nil {
			b.Fatal(err)
		}
	}
}

// What JSON files cannot hold; the rest is in testdata/protocol/commands.json.
func TestParseCommandRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ code, ref string }{
		"{\"action\":\"\xff\"}":                                     {wire.CodeUnknownAction, ""},
		"{\"action\":\"ping\",\"ref\":\"\xff\"}":                    {wire.CodeMalformed, ""},
		"{\"action\":\"ping\",\"topic\":\"\xff\",\"ref\":1}":        {wire.CodeMalformed, "1"},
		`{"action":"ping","ref":"` + strings.Repeat("r", 63) + `"}`: {wire.CodeMalformed, ""},
		`["action"]`: {wire.CodeMalformed, ""},
		``:           {wire.CodeMalformed, ""},
	} {
		if c, ref, err := wire.ParseCommand([]byte(text)); err == nil || err.Code != want.code || err.Message == "" || string(ref) != want.ref || c != nil {
			t.Errorf("%q: %#v with the ref %s, %v; want %v", text, c, ref, err, want)
		}
	}
	longest := `"` + strings.Repeat("r", 62) + `"`
	if _, ref, err := wire.ParseCommand([]byte(`{"action":"ping","ref":` + longest + `}`)); err != nil || string(ref) != longest {
		t.Errorf("the longest ref: %s, %v", ref, err)
	}
}

func TestParseConnect(t *testing.T) {
	t.Parallel()
	ref64, ref65 := `"`+strings.Repeat("r", 62)+`"`, `"`+strings.Repeat("r", 63)+`"`
	for text, want := range map[string]string{
		`{"action":"connect","token":"a.b.c"}`:                    "a.b.c",
		" {\"token\" : \"a\\u002eb\", \"action\":\"connect\"}\n":  "a.b",
		`{"action":"connect","token":""}`:                         "",
		`{"action":"connect","token":"t","ref":1}`:                "t",
		`{"action":"connect","token":"t","ref":` + ref64 + `}`:    "t",
		`{"action":"connect","token":"{\"action\":\"connect\"}"}`: `{"action":"connect"}`,
	} {
		if c, ok := wire.ParseConnect([]byte(text)); !ok || c.Token != want {
			t.Errorf("%s: %q, %v; want %q", text, c, ok, want)
		}
	}
	for _, text := range []string{
		``, `null`, `[]`, `"connect"`, `{}`, `{"action":"connect"}`, `{"token":"t"}`, `{"action":"connect","token":`,
		`{"action":"Connect","token":"t"}`, `{"Action":"connect","token":"t"}`, `{"action":"connect","Token":"t"}`,
		`{"action":"ping","token":"t"}`, `{"action":null,"token":"t"}`, `{"action":"connect","token":null}`,
		`{"action":"connect","token":7}`, `{"action":"connect","token":["t"]}`, `{"action":"connect","token":"t","topic":"x"}`,
		`{"action":"connect","token":"t","token":"t"}`, `{"action":"connect","token":"t"}{}`,
		`{"action":"connect","token":"t","ref":{}}`, `{"action":"connect","token":"t","ref":` + ref65 + `}`,
		"{\"action\":\"connect\",\"token\":\"\xff\"}",
	} {
		if c, ok := wire.ParseConnect([]byte(text)); ok || c.Token != "" {
			t.Errorf("%q: %q, %v; want a refusal", text, c, ok)
		}
	}
}
