package wire_test

import (
	"strings"
	"testing"

	"boundary-app.org/realtime/wire"
)

func TestAction(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		action string
		broken bool
	}{
		`{"action":"subscribe"}`:               {"subscribe", false},
		" \r\n\t{\"x\":1, \"action\" : \"a\"}": {"a", false},
		`{"action":""}`:                        {"", false},
		`{"action":null}`:                      {"", false},
		`{"Action":"subscribe"}`:               {"", false},
		`{"action":"a","Action":"b"}`:          {"a", false},
		`{"type":"action"}`:                    {"", false},
		`{"x":{"action":"a"}}`:                 {"", false},
		`["action"]`:                           {"", false},
		`"action"`:                             {"", false},
		``:                                     {"", false},
		`{"type":"x"`:                          {"", false},
		`{"action":7}`:                         {"", true},
		`{"action":{}}`:                        {"", true},
		`{"action":"a"`:                        {"", true},
		`{"action":"a"} x`:                     {"", true},
	} {
		if action, broken := wire.Action([]byte(text)); action != want.action || broken != want.broken {
			t.Errorf("%s: %q, %v; want %q, %v", text, action, broken, want.action, want.broken)
		}
	}
}

func TestParseCommand(t *testing.T) {
	t.Parallel()
	ref64 := `"` + strings.Repeat("r", 62) + `"`
	for text, want := range map[string]wire.Command{
		`{"action":"ping"}`: {Action: "ping"},
		`{"action":"subscribe","topic":"t","ref":7,"since":"p"}`: {Action: "subscribe", Topic: "t", Ref: []byte(`7`), Since: "p"},
		`{"action":"ping","ref":-1.50e3}`:                        {Action: "ping", Ref: []byte(`-1.50e3`)},
		`{"action":"ping","ref":"a\"b"}`:                         {Action: "ping", Ref: []byte(`"a\"b"`)},
		`{"action":"ping","ref":` + ref64 + `}`:                  {Action: "ping", Ref: []byte(ref64)},
		`{"action":"ping","topic":null}`:                         {Action: "ping"},
	} {
		c, err := wire.ParseCommand([]byte(text))
		if err != nil || c.Action != want.Action || c.Topic != want.Topic || c.Since != want.Since || string(c.Ref) != string(want.Ref) {
			t.Errorf("%s: %+v, %v", text, c, err)
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
		`{"action":"a","topic":[],"ref":1}`:                         `1`,
		`{"action":"a","since":1,"ref":1}`:                          `1`,
		`{"action":"subscribe","topic":"a\udfff","ref":1}`:          `1`,
		`{"action":"ping","ref":null}`:                              ``,
		`{"action":"ping","ref":true}`:                              ``,
		`{"action":"ping","ref":[1]}`:                               ``,
		`{"action":"ping","ref":{}}`:                                ``,
		`{"action":"ping","ref":"` + strings.Repeat("r", 63) + `"}`: ``,
		`{"action":"ping","ref":1`:                                  ``,
		"{\"action\":\"ping\",\"ref\":\"\xff\"}":                    ``,
		"{\"action\":\"\xff\",\"ref\":1}":                           `1`,
		`{"action":"ping","Ref":1}`:                                 ``,
		`[]`:                                                        ``,
		``:                                                          ``,
	} {
		c, err := wire.ParseCommand([]byte(text))
		if err == nil || err.Code != wire.CodeMalformed || err.Message == "" || string(c.Ref) != ref || c.Action != "" {
			t.Errorf("%q: %+v, %v; want malformed with ref %s", text, c, err, ref)
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
		if token, ok := wire.ParseConnect([]byte(text)); !ok || token != want {
			t.Errorf("%s: %q, %v; want %q", text, token, ok, want)
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
		if token, ok := wire.ParseConnect([]byte(text)); ok || token != "" {
			t.Errorf("%q: %q, %v; want a refusal", text, token, ok)
		}
	}
}
