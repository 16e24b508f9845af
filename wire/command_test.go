package wire_test

import (
	"strings"
	"testing"

	"boundary-app.org/realtime/wire"
)

// An object that names no action, or an unknown one, is told from a broken command:
// where the application takes messages it is the application's.
func TestParseCommandOfNoAction(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		" \r\n\t{\"x\":1, \"action\" : \"a\"}": wire.CodeUnknownAction,
		`{"action":"a","Action":"b"}`:          wire.CodeUnknownAction,
		`{"action":"a","x":1,"x":2}`:           wire.CodeUnknownAction,
		`{"action":"a","topic":[]}`:            wire.CodeUnknownAction,
		`{"action":"\ud800"}`:                  wire.CodeUnknownAction,
		"{\"action\":\"\xff\"}":                wire.CodeUnknownAction,
		`{}`:                                   wire.CodeMissingAction,
		`{"action":""}`:                        wire.CodeMissingAction,
		`{"action":null}`:                      wire.CodeMissingAction,
		`{"Action":"subscribe"}`:               wire.CodeMissingAction,
		`{"type":"action"}`:                    wire.CodeMissingAction,
		`{"x":{"action":"a"}}`:                 wire.CodeMissingAction,
		`{"x":1,"x":2}`:                        wire.CodeMissingAction,
		`["action"]`:                           wire.CodeMalformed,
		`"action"`:                             wire.CodeMalformed,
		``:                                     wire.CodeMalformed,
		`{"type":"x"`:                          wire.CodeMalformed,
		`{"action":7}`:                         wire.CodeMalformed,
		`{"action":{}}`:                        wire.CodeMalformed,
		`{"action":"a"`:                        wire.CodeMalformed,
		`{"action":"a"} x`:                     wire.CodeMalformed,
		`{"action":"connect","token":"t"}`:     wire.CodeConnected,
		`{"action":"connect"}`:                 wire.CodeConnected,
	} {
		if c, _, err := wire.ParseCommand([]byte(text)); err == nil || err.Code != want || c != nil {
			t.Errorf("%s: %#v, %v; want %s", text, c, err, want)
		}
	}
}

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

func TestParseCommand(t *testing.T) {
	t.Parallel()
	ref64 := `"` + strings.Repeat("r", 62) + `"`
	for text, want := range map[string]struct {
		command wire.Command
		ref     string
	}{
		`{"action":"ping"}`: {wire.Ping{}, ""},
		`{"action":"subscribe","topic":"t","ref":7,"since":"p"}`: {wire.Subscribe{Topic: "t", Since: "p"}, `7`},
		`{"action":"unsubscribe","topic":"t","since":null}`:      {wire.Unsubscribe{Topic: "t"}, ""},
		`{"action":"ping","ref":-1.50e3}`:                        {wire.Ping{}, `-1.50e3`},
		`{"action":"ping","ref":"a\"b"}`:                         {wire.Ping{}, `"a\"b"`},
		`{"action":"ping","ref":` + ref64 + `}`:                  {wire.Ping{}, ref64},
		`{"action":"ping","topic":null}`:                         {wire.Ping{}, ""},
		`{"\u0061ction":"p\u0069ng"}`:                            {wire.Ping{}, ""},
		`{"token":"a.b.c","action":"refresh","ref":"r"}`:         {wire.Refresh{Token: "a.b.c"}, `"r"`},
	} {
		if c, ref, err := wire.ParseCommand([]byte(text)); err != nil || c != want.command || string(ref) != want.ref {
			t.Errorf("%s: %#v with the ref %s, %v", text, c, ref, err)
		}
	}
}

func TestParseCommandRefuses(t *testing.T) {
	t.Parallel()
	for text, ref := range map[string]string{
		`{"action":"ping","ref":1,"extra":1}`:                       `1`,
		`{"action":"ping","ref":1,"Topic":"t"}`:                     `1`,
		`{"action":"ping","ref":"a","action":"ping"}`:               `"a"`,
		`{"action":7,"ref":1}`:                                      `1`,
		`{"action":"ping","topic":[],"ref":1}`:                      `1`,
		`{"action":"ping","since":1,"ref":1}`:                       `1`,
		`{"action":"ping","token":"t","ref":1}`:                     `1`,
		`{"action":"refresh","token":"t","topic":"t","ref":1}`:      `1`,
		`{"action":"refresh","token":7,"ref":1}`:                    `1`,
		`{"action":"refresh","ref":1}`:                              `1`,
		`{"action":"subscribe","topic":"a\udfff","ref":1}`:          `1`,
		`{"action":"ping","ref":null}`:                              ``,
		`{"action":"ping","ref":true}`:                              ``,
		`{"action":"ping","ref":[1]}`:                               ``,
		`{"action":"ping","ref":{}}`:                                ``,
		`{"action":"ping","ref":"` + strings.Repeat("r", 63) + `"}`: ``,
		`{"action":"ping","ref":1`:                                  ``,
		"{\"action\":\"ping\",\"ref\":\"\xff\"}":                    ``,
		"{\"action\":\"ping\",\"topic\":\"\xff\",\"ref\":1}":        `1`,
		`{"action":"ping","Ref":1}`:                                 ``,
		`[]`:                                                        ``,
		``:                                                          ``,
	} {
		c, got, err := wire.ParseCommand([]byte(text))
		if err == nil || err.Code != wire.CodeMalformed || err.Message == "" || string(got) != ref || c != nil {
			t.Errorf("%q: %#v with the ref %s, %v; want malformed with the ref %s", text, c, got, err, ref)
		}
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
