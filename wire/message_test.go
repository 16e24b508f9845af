package wire_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"boundary-app.org/realtime/wire"
)

var (
	now   = time.Date(2026, 1, 2, 3, 4, 5, 678_901_234, time.FixedZone("", 3600))
	stamp = `"timestamp":"2026-01-02T02:04:05.678Z"`
)

func TestEncode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		m     wire.Message
		topic string
		want  string
	}{
		"bare":              {wire.Message{Type: "a"}, "", `{"type":"a",` + stamp + `}`},
		"payload":           {wire.Message{Type: "a", Payload: []int{1}}, "", `{"type":"a","payload":[1],` + stamp + `}`},
		"raw payload":       {wire.Message{Type: "a", Payload: json.RawMessage(" { } ")}, "", `{"type":"a","payload": { } ,` + stamp + `}`},
		"fields, sorted":    {wire.Message{Type: "a", Fields: map[string]any{"c": nil, "b": "x"}}, "", `{"type":"a","b":"x","c":null,` + stamp + `}`},
		"payload as field":  {wire.Message{Type: "a", Fields: map[string]any{"payload": 1}}, "", `{"type":"a","payload":1,` + stamp + `}`},
		"own timestamp":     {wire.Message{Type: "a", Timestamp: time.Unix(0, 0)}, "", `{"type":"a","timestamp":"1970-01-01T00:00:00.000Z"}`},
		"timestamp field":   {wire.Message{Type: "a", Fields: map[string]any{"timestamp": "then"}}, "", `{"type":"a","timestamp":"then"}`},
		"topic":             {wire.Message{Type: "a"}, "order:1", `{"type":"a",` + stamp + `,"topic":"order:1"}`},
		"escaping":          {wire.Message{Type: "a\"\\\nü<"}, "ü\"", `{"type":"a\"\\\nü\u003c",` + stamp + `,"topic":"ü\""}`},
		"quote in a name":   {wire.Message{Type: "a", Fields: map[string]any{`b"`: 1}}, "", `{"type":"a","b\"":1,` + stamp + `}`},
		"a dollar inside":   {wire.Message{Type: "a$"}, "", `{"type":"a$",` + stamp + `}`},
		"type with a space": {wire.Message{Type: " "}, "", `{"type":" ",` + stamp + `}`},
	} {
		got, err := c.m.Encode(now)
		if got := deliveredTo(c.topic, got); err != nil || string(got) != c.want {
			t.Errorf("%s: %s (%v), want %s", name, got, err, c.want)
		}
	}
}

// deliveredTo returns an encoded message as subscribers of a topic get it; without a
// topic, as others do.
func deliveredTo(topic string, encoded []byte) []byte {
	if topic == "" || encoded == nil {
		return encoded
	}
	return wire.AppendTail(encoded[:len(encoded)-1:len(encoded)-1], topic)
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	fields := func(name string, value any) wire.Message {
		return wire.Message{Type: "a", Payload: 1, Timestamp: now, Fields: map[string]any{name: value}}
	}
	for name, m := range map[string]wire.Message{
		"no type":              {},
		"our type":             {Type: "$reply"},
		"type not UTF-8":       {Type: "\xff"},
		"field topic":          fields("topic", "t"),
		"field id":             fields("id", "t"),
		"field type":           fields("type", "t"),
		"field with a dollar":  fields("$x", "t"),
		"payload twice":        fields("payload", 1),
		"timestamp twice":      fields("timestamp", 1),
		"field not UTF-8":      fields("\xff", 1),
		"field not JSON":       fields("x", math.NaN()),
		"payload not JSON":     {Type: "a", Payload: make(chan int)},
		"raw not JSON":         {Type: "a", Payload: json.RawMessage(`{`)},
		"raw empty":            {Type: "a", Payload: json.RawMessage(``)},
		"raw of two values":    {Type: "a", Payload: json.RawMessage(`1 2`)},
		"raw not UTF-8":        {Type: "a", Payload: json.RawMessage("\"\xff\"")},
		"raw with a duplicate": {Type: "a", Payload: json.RawMessage(`[{"b":{"x":1,"x":2}}]`)},
		"raw breaks out":       {Type: "a", Payload: json.RawMessage(`1,"topic":"t"`)},
		"raw, no pair":         {Type: "a", Payload: json.RawMessage(`{"a":"\ud83d"}`)},
		"raw name, no pair":    {Type: "a", Payload: json.RawMessage(`{"\ude00":1}`)},
		"raw field":            fields("x", json.RawMessage(`{"a":1,"a":1}`)),
	} {
		got, err := m.Encode(now)
		if got != nil || !errors.Is(err, wire.ErrInvalidMessage) {
			t.Errorf("%s: %s, %v; want ErrInvalidMessage", name, got, err)
		}
	}
}

func TestParseMessage(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		messageType string
		timestamp   time.Time
		encoded     string // "": as it came
	}{
		`{"type":"a","timestamp":"2026-01-02T03:04:05Z"}`: {"a", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), ""},
		`{"type":"a","timestamp":7}`:                      {"a", time.Time{}, ""},
		`{"timestamp":"x","type":"ü", "n":1.50e+1}`:       {"ü", time.Time{}, ""},
		`{"type":"\u0061","timestamp":null}`:              {"a", time.Time{}, ""},
		" \n{\"type\":\"a\",\"timestamp\":0}\t":           {"a", time.Time{}, `{"type":"a","timestamp":0}`},
		`{"type":"a", "Topic":1,"ID":2 }`:                 {"a", time.Time{}, `{"type":"a", "Topic":1,"ID":2 ,` + stamp + `}`},
	} {
		m, err := wire.ParseMessage([]byte(text))
		if err != nil || m.Type != want.messageType || !m.Timestamp.Equal(want.timestamp) {
			t.Errorf("%s: %+v, %v", text, m, err)
			continue
		}
		encoded := want.encoded
		if encoded == "" {
			encoded = text
		}
		if got, err := m.JSON(now); err != nil || string(got) != encoded {
			t.Errorf("%s became %s (%v)", text, got, err)
		}
		withTopic := strings.TrimSuffix(encoded, "}") + `,"topic":"t"}`
		got, err := m.Encode(now)
		if got := deliveredTo("t", got); err != nil || string(got) != withTopic {
			t.Errorf("%s on a topic became %s (%v), want %s", text, got, err, withTopic)
		}
	}
}

func TestParseMessageRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, ` `, `null`, `"a"`, `[]`, `7`, `{`, `{}`, `{"type":"a"`, `{"type":"a"} {}`, `{"type":"a",}`,
		`{"type":""}`, `{"type":7}`, `{"type":null}`, `{"type":["a"]}`, `{"Type":"a"}`, `{"type":"$a"}`, `{"type":"\u0024a"}`,
		`{"type":"a","type":"a"}`, `{"type":"a","\u0074ype":"b"}`, `{"type":"a","x":{"y":1,"y":2}}`,
		`{"type":"a","topic":"t"}`, `{"type":"a","id":"1"}`, `{"type":"a","$x":1}`, `{"type":"a","\u0069d":1}`,
		`{"type":"a","payload":{"x":["\ud83d"]}}`, `{"type":"a","\udc00":1}`, `{"type":"a","x":{"\ud800\u0041":1}}`,
		"{\"type\":\"\xff\"}", "{\"type\":\"a\",\"\xc0\xaf\":1}", "\xef\xbb\xbf{\"type\":\"a\"}",
	} {
		if m, err := wire.ParseMessage([]byte(text)); !errors.Is(err, wire.ErrInvalidMessage) {
			t.Errorf("%q: %+v, %v; want ErrInvalidMessage", text, m, err)
		}
	}
}

// Every time is written as time.Format writes it.
func TestTimestamps(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{
		now, time.Unix(0, 0), time.Unix(1, 999_999_999), time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC),
		time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-5, 2, 3, 4, 5, 6, 0, time.UTC),
		time.Date(2028, 2, 29, 23, 30, 0, 70_000_000, time.FixedZone("", -7200)),
	} {
		want := `{"type":"$reply","ok":true,"expiresAt":"` + at.UTC().Format("2006-01-02T15:04:05.000Z07:00") + `"}`
		if got := (wire.Reply{ExpiresAt: at}).Encode(); string(got) != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A parsed message does not depend on the caller's buffer.
func TestParseMessageKeepsItsOwnCopy(t *testing.T) {
	t.Parallel()
	text := []byte(`{"type":"a","timestamp":1}`)
	m, err := wire.ParseMessage(text)
	if err != nil {
		t.Fatal(err)
	}
	clear(text)
	if got, _ := m.JSON(now); string(got) != `{"type":"a","timestamp":1}` {
		t.Errorf("it became %q", got)
	}
}

// A delivered message is the one that was sent.
func TestDelivered(t *testing.T) {
	t.Parallel()
	parsed, err := wire.ParseMessage([]byte(`{"type":"a","TYPE":"b","timestamp":"2026-01-02T02:04:05.678Z"}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, sent := range map[string]wire.Message{
		"built":  {Type: "a", Payload: "x"},
		"parsed": parsed,
		"tricky": {Type: "a", Fields: map[string]any{"x": `,"topic":"order:1"}`}},
	} {
		alone, err := sent.JSON(now)
		if err != nil {
			t.Fatal(err)
		}
		m, err := wire.Delivered(alone)
		if err != nil || m.Type != "a" || !m.Timestamp.Equal(now.Truncate(time.Millisecond)) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
		if got, _ := m.JSON(time.Time{}); string(got) != string(alone) {
			t.Errorf("%s: %s, want %s", name, got, alone)
		}
	}
	for _, bad := range []string{``, `[]`, `{}`, `{"type":7}`} {
		if m, err := wire.Delivered([]byte(bad)); err == nil {
			t.Errorf("%q: %+v, want an error", bad, m)
		}
	}
}

// What JSON returns is the caller's: changing it, or appending to it, changes no
// message; and what is encoded for others has no room to append to.
func TestJSONBelongsToTheCaller(t *testing.T) {
	t.Parallel()
	m, err := wire.ParseMessage([]byte(`{"type":"a","timestamp":1}`))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := m.JSON(time.Time{})
	_ = append(text, "more"...)
	clear(text)
	encoded, err := m.Encode(time.Time{})
	if err != nil || string(encoded) != `{"type":"a","timestamp":1}` {
		t.Errorf("afterwards it is %q, %v", encoded, err)
	}
	if len(encoded) != cap(encoded) {
		t.Errorf("%d bytes may be appended to what is encoded", cap(encoded)-len(encoded))
	}
}
