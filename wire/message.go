package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	// carried as it is.
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
// more characters that does not begin with "$", without duplicate names and
// without the reserved names topic, id and "$...". It is validated here, once,
// and its octets travel unchanged. Type and Timestamp are set from the object
// (Timestamp only where it is an RFC 3339 string); Payload and Fields stay
// empty: use JSON to read them. The error matches ErrInvalidMessage.
func ParseMessage(data []byte) (Message, error) {
	data = bytes.TrimSpace(data)
	if err := checkObject(data); err != nil {
		return Message{}, err
	}
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
// result must not be changed.
func (m Message) JSON(now time.Time) ([]byte, error) {
	return m.Encode(now, "")
}

// Encode returns the JSON object that clients receive. A topic, where given,
// is added as "topic"; a missing timestamp is set to now. The error matches
// ErrInvalidMessage.
func (m Message) Encode(now time.Time, topic string) ([]byte, error) {
	if m.json != nil {
		return m.encodeParsed(now, topic), nil
	}
	if err := checkType(m.Type); err != nil {
		return nil, err
	}
	b := make([]byte, 0, 256)
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
	return closeObject(b, topic), nil
}

func (m Message) timestamp(now time.Time) time.Time {
	if m.Timestamp.IsZero() {
		return now
	}
	return m.Timestamp
}

func (m Message) encodeParsed(now time.Time, topic string) []byte {
	if m.stamped && topic == "" {
		return m.json
	}
	b := make([]byte, 0, len(m.json)+len(topic)+64)
	b = append(b, m.json[:len(m.json)-1]...)
	if !m.stamped {
		b = appendTimestamp(b, now)
	}
	return closeObject(b, topic)
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
	case reserved(name), name == "type":
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

func reserved(name string) bool {
	return name == "topic" || name == "id" || strings.HasPrefix(name, "$")
}

func appendMember(b []byte, name string, value any) ([]byte, error) {
	b = append(b, ',')
	b = appendString(b, name)
	b = append(b, ':')
	if raw, ok := value.(json.RawMessage); ok {
		if err := CheckStrict(raw); err != nil {
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
	b = t.UTC().AppendFormat(b, timeLayout)
	return append(b, '"')
}

func closeObject(b []byte, topic string) []byte {
	if topic != "" {
		b = append(b, `,"topic":`...)
		b = appendString(b, topic)
	}
	return append(b, '}')
}

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
