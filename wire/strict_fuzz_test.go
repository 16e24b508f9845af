package wire_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"unicode/utf8"

	"boundary-app.org/realtime/wire"
)

// isStrict is CheckStrict the slow way: where every name is there once, a
// decoded value has as many members as its text has colons outside of strings.
func isStrict(text []byte) bool {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // 1e999 is JSON, and no float64
	if !utf8.Valid(text) || decoder.Decode(&value) != nil {
		return false
	}
	rest := text[decoder.InputOffset():]
	return len(bytes.TrimLeft(rest, " \t\r\n")) == 0 && colons(text) == countMembers(value)
}

// colons counts those outside of strings, in valid JSON.
func colons(text []byte) (n int) {
	inString := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			inString = !inString
		case c == '\\':
			i++
		case c == ':' && !inString:
			n++
		}
	}
	return n
}

func countMembers(value any) (n int) {
	switch v := value.(type) {
	case map[string]any:
		n = len(v)
		for _, member := range v {
			n += countMembers(member)
		}
	case []any:
		for _, element := range v {
			n += countMembers(element)
		}
	}
	return n
}

// FuzzStrict: one value, valid UTF-8, no name twice, at any depth.
func FuzzStrict(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":[{"a":{}},{"a":null}]}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `[{"x":{"y":1,"y":2}}]`, `{"a:b":":","c\"":":"}`,
		`{}{}`, `1 2`, `{"\ud800":1,"\udfff":2}`, "{\"\xff\":1}", "\ufeff{}", `[[[[]]]]`, `"`, `nul`, ``, ` `, `{"A":1,"a":2}`, `-0`, `1e999`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := wire.CheckStrict(text)
		if want := isStrict(text); want != (err == nil) {
			t.Fatalf("%q: %v, want it strict: %v", text, err, want)
		}
	})
}

// commandOf reads a command the slow way, or returns the code of the refusal.
func commandOf(text []byte) (c wire.Command, code string) {
	var members map[string]json.RawMessage
	if !json.Valid(text) || json.Unmarshal(text, &members) != nil || members == nil {
		return c, wire.CodeMalformed
	}
	var action *string
	if raw, ok := members["action"]; ok && json.Unmarshal(raw, &action) != nil {
		return c, wire.CodeMalformed
	}
	switch {
	case action == nil || *action == "":
		return c, wire.CodeMissingAction
	case *action == "connect":
		return c, wire.CodeConnected
	case !slices.Contains([]string{"subscribe", "unsubscribe", "ping", "refresh"}, *action):
		return c, wire.CodeUnknownAction
	}
	into := map[string]*string{"action": &c.Action, "topic": &c.Topic, "since": &c.Since}
	if *action == "refresh" {
		into = map[string]*string{"action": &c.Action, "token": &c.Token}
	}
	for name, raw := range members {
		switch to := into[name]; {
		case to != nil && isText(raw, name != "token") && json.Unmarshal(raw, to) == nil:
		case name == "ref" && isRef(raw):
			c.Ref = raw
		default:
			return c, wire.CodeMalformed
		}
	}
	if !isStrict(text) || *action == "refresh" && members["token"] == nil {
		return c, wire.CodeMalformed
	}
	return c, ""
}

// isText reports whether a value is a string without half a surrogate pair, or null
// where that counts as absent.
func isText(raw json.RawMessage, orNull bool) bool {
	_, err := wire.Text(raw)
	return err == nil || orNull && string(raw) == "null"
}

func isRef(raw json.RawMessage) bool {
	var text *string
	var number *json.Number
	isText := json.Unmarshal(raw, &text) == nil && text != nil
	isNumber := raw[0] != '"' && json.Unmarshal(raw, &number) == nil && number != nil
	return (isText || isNumber) && len(raw) <= 64
}
