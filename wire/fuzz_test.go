package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"boundary-app.org/realtime/internal/strictjson"
	"boundary-app.org/realtime/wire"
)

// object reads what must be one JSON object with a type and a timestamp.
func object(t *testing.T, text []byte) map[string]json.RawMessage {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || strictjson.Check(text) != nil {
		t.Fatalf("%q is not a strict JSON object: %v, %v", text, err, strictjson.Check(text))
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
			if name, err := strictjson.Unquote(object(t, onTopic)["topic"]); err != nil || name != topic {
				t.Fatalf("%q has the topic %q, %v", onTopic, name, err)
			}
		}
	})
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
