package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"boundary-app.org/realtime/wire"
)

// object reads what must be one JSON object with a type and a timestamp.
func object(t *testing.T, text []byte) map[string]json.RawMessage {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || wire.CheckStrict(text) != nil {
		t.Fatalf("%q is not a strict JSON object: %v, %v", text, err, wire.CheckStrict(text))
	}
	if members["type"] == nil || members["timestamp"] == nil {
		t.Fatalf("%s lacks a type or a timestamp", text)
	}
	return members
}

// Whatever is accepted travels unchanged, in a strict object with a type and a
// timestamp, with and without a topic, and comes back from it.
func FuzzParseMessage(f *testing.F) {
	for _, seed := range []string{
		`{"type":"a"}`, ` {"type":"a","timestamp":"x","n":[1.0,{"a":null}]} `, `{"type":"$a"}`, `{"type":"a","type":"b"}`,
		`{"type":"a","topic":1}`, "{\"type\":\"\xff\"}", `{"type":"a"}{}`, `{"type":"\u0024"}`, `{}`, `[`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := wire.ParseMessage(text)
		if err != nil {
			if !errors.Is(err, wire.ErrInvalidMessage) {
				t.Fatalf("%q: %v is not ErrInvalidMessage", text, err)
			}
			return
		}
		if m.Type == "" || m.Type[0] == '$' || !utf8.Valid(text) {
			t.Fatalf("%q was accepted, type %q", text, m.Type)
		}
		for _, topic := range []string{"", "order:1"} {
			encoded, err := m.Encode(now)
			if err != nil {
				t.Fatal(err)
			}
			encoded = deliveredTo(topic, encoded)
			members := object(t, encoded)
			if !bytes.HasPrefix(encoded, bytes.TrimSuffix(bytes.TrimSpace(text), []byte("}"))) {
				t.Fatalf("%q became %q", text, encoded)
			}
			if string(members["topic"]) != map[string]string{"": "", "order:1": `"order:1"`}[topic] {
				t.Fatalf("%q has the topic %s", encoded, members["topic"])
			}
			back, err := wire.Delivered(encoded)
			if err != nil || back.Type != m.Type {
				t.Fatalf("%q was delivered as %q, %v", encoded, back.Type, err)
			}
		}
	})
}

// Whatever is encoded from fields is a strict object that parses again.
func FuzzEncode(f *testing.F) {
	f.Add("a", "content", "x", []byte(`{"a":1}`), "order:1")
	f.Add("ü\"", "timestamp", "\x00", []byte(` 7`), "")
	f.Add("$a", "topic", "\xff", []byte(`1,"a":2`), "t")
	f.Fuzz(func(t *testing.T, messageType, name, value string, raw []byte, topic string) {
		m := wire.Message{Type: messageType, Payload: json.RawMessage(raw), Fields: map[string]any{name: value}}
		encoded, err := m.Encode(now)
		if err != nil {
			if !errors.Is(err, wire.ErrInvalidMessage) {
				t.Fatalf("%v is not ErrInvalidMessage", err)
			}
			return
		}
		members := object(t, encoded)
		if !bytes.Equal(members["payload"], bytes.TrimSpace(raw)) {
			t.Fatalf("the payload %q became %q", raw, members["payload"])
		}
		if back, err := wire.ParseMessage(encoded); err != nil || back.Type != messageType {
			t.Fatalf("%q parses as %q, %v", encoded, back.Type, err)
		}
		if wire.CheckTopic(topic) == nil {
			onTopic := deliveredTo(topic, encoded)
			if name, err := wire.Text(object(t, onTopic)["topic"]); err != nil || name != topic {
				t.Fatalf("%q has the topic %q, %v", onTopic, name, err)
			}
		}
	})
}

// A client's text is read without a panic; what is accepted has sane parts, and
// a reply to anything is a strict object with the ref as it came.
func FuzzCommand(f *testing.F) {
	for _, seed := range []string{
		`{"action":"subscribe","topic":"t","ref":1}`, `{"action":"ping","ref":"a\"b"}`, `{"action":7}`, `{"action"`,
		`{"action":"ping","Ref":1}`, `{"action":"ping","ref":1e999999}`, `["action"]`, `{"action":"refresh","token":"t","ref":1}`, `{"action":"dance","x":1,"x":2}`, `{"action":"connect"}`, "{\"action\":\"\xff\"}", ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := wire.ParseCommand(text)
		if want, code := commandOf(text); code != "" && (err == nil || err.Code != code) || code == "" && (err != nil || !reflect.DeepEqual(c, want)) {
			t.Fatalf("%q: %+v, %v; want %+v, %q", text, c, err, want, code)
		}
		reply := wire.Reply{Ref: c.Ref, Err: err}.Encode()
		if wire.CheckStrict(reply) != nil {
			t.Fatalf("%q is answered by %q", text, reply)
		}
		var back struct{ Ref json.RawMessage }
		if json.Unmarshal(reply, &back) != nil || len(c.Ref) > 64 || !sameText(back.Ref, c.Ref) {
			t.Fatalf("the ref %s came back as %s", c.Ref, back.Ref)
		}
	})
}

// The token of a connect is read without a panic, from one strict object that
// holds it as a string and nothing but what belongs there.
func FuzzConnect(f *testing.F) {
	for _, seed := range []string{
		`{"action":"connect","token":"a.b.c"}`, `{"action":"connect","token":"","ref":1}`, `{"action":"connect","token":null}`,
		`{"action":"connect","token":"a","token":"b"}`, `{"Action":"connect"}`, `{"action":"connect","ref":[]}`, "{\"token\":\"\xff\"}", `[`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		token, ok := wire.ParseConnect(text)
		if !ok {
			if token != "" {
				t.Fatalf("%q is refused, and gives the token %q", text, token)
			}
			return
		}
		var members map[string]any
		if err := json.Unmarshal(text, &members); err != nil || wire.CheckStrict(text) != nil {
			t.Fatalf("%q was accepted: %v", text, err)
		}
		_, ref := members["ref"]
		if delete(members, "ref"); len(members) != 2 || members["action"] != "connect" || members["token"] != token {
			t.Fatalf("%q was accepted with the token %q, ref %v", text, token, ref)
		}
	})
}

// sameText reports whether two JSON texts have the same value; writing a reply
// may escape a character in another way.
func sameText(a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y string
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && x == y
}

// A topic that is accepted keeps all the rules, one that is refused breaks one.
func FuzzTopic(f *testing.F) {
	for name := range names {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		err := wire.CheckTopic(topic)
		control := strings.ContainsFunc(topic, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 })
		emptySegment := strings.Contains(":"+topic+":", "::")
		sane := len(topic) <= 255 && utf8.ValidString(topic) && !control && !emptySegment &&
			topic[0] != '$' && !strings.ContainsAny(topic, "*>")
		if sane != (err == nil) {
			t.Fatalf("%q: %v", topic, err)
		}
		if err != nil && !errors.Is(err, wire.ErrInvalidTopic) {
			t.Fatalf("%v is not ErrInvalidTopic", err)
		}
		if err == nil && wire.CheckTarget("topic", topic) != nil {
			t.Fatalf("%q is a topic but no target", topic)
		}
	})
}
