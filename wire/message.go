package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// timeLayout is ISO 8601 in UTC with milliseconds, as JavaScript's
// Date.prototype.toISOString writes it.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// Message is what an application sends: a JSON object with a type. It is
// either built from its fields or parsed from JSON (ParseMessage), and is a
// value: copy it freely, but do not change Payload or Fields while it is being
// sent.
type Message struct {
	// Type is required; it must not begin with "$".
	Type string
	// Payload travels as "payload"; nil leaves it out. A json.RawMessage is
	// checked as ParseMessage checks a message, and carried as it is.
	Payload any
	// Timestamp travels as "timestamp"; zero means the time of sending.
	Timestamp time.Time
	// Fields travel flat beside the type. The names type, topic, id and those
	// that begin with "$" are reserved.
	Fields map[string]any

	json    []byte // a parsed message: the object as it came
	stamped bool   // the object has a timestamp of its own
}

// ParseMessage takes a message as JSON: one object with a "type" of one or
// more characters that does not begin with "$", without duplicate names, without
// the reserved names topic, id and "$...", and without an unpaired surrogate escape
// anywhere. It is validated here, once, in one pass, and its bytes
// travel unchanged. Type and Timestamp are set from the object
// (Timestamp only where it is an RFC 3339 string); Payload and Fields stay
// empty: use JSON to read them. The error matches ErrInvalidMessage.
func ParseMessage(data []byte) (Message, error) {
	data = bytes.Trim(data, " \t\r\n")
	m, err := header(data)
	if err != nil {
		return Message{}, err
	}
	if err := checkType(m.Type); err != nil {
		return Message{}, err
	}
	m.json = bytes.Clone(data)
	return m, nil
}

// JSON returns the object that would be sent at now, without a topic. The
// result belongs to the caller.
func (m Message) JSON(now time.Time) ([]byte, error) {
	text, err := m.Encode(now)
	return bytes.Clone(text), err
}

// Encode returns the JSON object that clients receive, but for what AppendTail adds. A
// missing timestamp is set to now. The result may be shared with others who encode the
// message, and must not be changed; it has no room to append to. The error matches
// ErrInvalidMessage.
func (m Message) Encode(now time.Time) ([]byte, error) {
	if m.json != nil {
		return m.encodeParsed(now), nil
	}
	if err := checkType(m.Type); err != nil {
		return nil, err
	}
	b := make([]byte, 0, m.room())
	b = append(b, `{"type":`...)
	b = appendString(b, m.Type)
	var err error
	if m.Payload != nil {
		if b, err = appendMember(b, "payload", m.Payload); err != nil {
			return nil, err
		}
	}
	if b, err = m.appendFields(b); err != nil {
		return nil, err
	}
	if _, own := m.Fields["timestamp"]; !own {
		b = appendTimestamp(b, m.timestamp(now))
	}
	return slices.Clip(append(b, '}')), nil
}

// AppendTail appends what a message ends with where it is delivered to a topic. It
// takes the place of the last byte of what Encode returns, a brace.
func AppendTail(dst []byte, topic string) []byte {
	dst = append(dst, `,"topic":`...)
	dst = appendString(dst, topic)
	return append(dst, '}')
}

// room is about what the object needs, so that most are built without growing.
func (m Message) room() int {
	const rest = len(`{"type":"","payload":,"timestamp":"2006-01-02T15:04:05.000Z"}`)
	n := rest + len(m.Type)
	raw, ok := m.Payload.(json.RawMessage)
	if !ok && m.Payload != nil || len(m.Fields) > 0 {
		n += 160
	}
	return n + len(raw)
}

func (m Message) timestamp(now time.Time) time.Time {
	if m.Timestamp.IsZero() {
		return now
	}
	return m.Timestamp
}

func (m Message) encodeParsed(now time.Time) []byte {
	if m.stamped {
		return slices.Clip(m.json)
	}
	b := make([]byte, 0, len(m.json)+m.room())
	b = append(b, m.json[:len(m.json)-1]...)
	b = appendTimestamp(b, now)
	return slices.Clip(append(b, '}'))
}

func (m Message) appendFields(b []byte) ([]byte, error) {
	if len(m.Fields) == 0 {
		return b, nil
	}
	for _, name := range slices.Sorted(maps.Keys(m.Fields)) {
		if err := m.checkField(name); err != nil {
			return nil, err
		}
		var err error
		if b, err = appendMember(b, name, m.Fields[name]); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (m Message) checkField(name string) error {
	switch {
	case reserved([]byte(name)), name == "type":
		return fmt.Errorf("%w: the field %q is reserved", ErrInvalidMessage, name)
	case name == "payload" && m.Payload != nil, name == "timestamp" && !m.Timestamp.IsZero():
		return fmt.Errorf("%w: %q is given twice", ErrInvalidMessage, name)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: a field's name is not valid UTF-8", ErrInvalidMessage)
	}
	return nil
}

func checkType(t string) error {
	switch {
	case t == "":
		return fmt.Errorf("%w: \"type\" is missing or empty; give it a name such as \"order-updated\"", ErrInvalidMessage)
	case t[0] == '$':
		return fmt.Errorf("%w: the type %q begins with \"$\", which is reserved", ErrInvalidMessage, t)
	case !utf8.ValidString(t):
		return fmt.Errorf("%w: \"type\" is not valid UTF-8", ErrInvalidMessage)
	}
	return nil
}

func reserved(name []byte) bool {
	return string(name) == "topic" || string(name) == "id" || len(name) > 0 && name[0] == '$'
}

func appendMember(b []byte, name string, value any) ([]byte, error) {
	b = append(b, ',')
	b = appendString(b, name)
	b = append(b, ':')
	if raw, ok := value.(json.RawMessage); ok {
		if err := checkValue(raw); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrInvalidMessage, name, err)
		}
		return append(b, raw...), nil
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("%w: %s cannot be written as JSON: %w", ErrInvalidMessage, name, err)
	}
	return append(b, encoded...), nil
}

func appendTimestamp(b []byte, t time.Time) []byte {
	b = append(b, `,"timestamp":"`...)
	b = appendTime(b, t)
	return append(b, '"')
}

// appendTime appends t in timeLayout, which time.AppendFormat does in twice the
// time.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(b, timeLayout)
	}
	hour, minute, second := t.Clock()
	milli := t.Nanosecond() / 1e6
	b = appendPair(appendPair(b, year/100), year%100)
	b = append(appendPair(append(b, '-'), int(month)), '-')
	b = append(appendPair(b, day), 'T')
	b = append(appendPair(b, hour), ':')
	b = append(appendPair(b, minute), ':')
	b = append(appendPair(b, second), '.', byte('0'+milli/100))
	return append(appendPair(b, milli%100), 'Z')
}

// appendPair appends two digits.
func appendPair(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// appendString appends s as a JSON string. Names that are plain ASCII, which
// is nearly all of them, need no escaping.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			encoded, _ := json.Marshal(s) // a string always encodes
			return append(b, encoded...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
