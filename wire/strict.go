package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// checkObject accepts one strict JSON object that may travel as a message.
func checkObject(data []byte) error {
	if len(data) == 0 || data[0] != '{' {
		return fmt.Errorf("%w: it must be a JSON object such as {\"type\":\"order-updated\",\"payload\":{}}", ErrInvalidMessage)
	}
	if err := CheckStrict(data); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidMessage, err)
	}
	return nil
}

// CheckStrict returns nil when data is one JSON value in valid UTF-8 in which no
// object names a member twice. UTF-8 is checked on the octets because
// encoding/json repairs it silently.
func CheckStrict(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("it is not valid UTF-8")
	}
	if !json.Valid(data) {
		var v json.RawMessage
		return fmt.Errorf("it is not valid JSON: %w", json.Unmarshal(data, &v))
	}
	return checkNames(data)
}

// checkNames walks valid JSON and refuses an object that names a member twice:
// readers disagree about which one counts.
func checkNames(data []byte) error {
	if bytes.IndexByte(data, '{') < 0 {
		return nil // no object, no names
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var open []map[string]bool // one entry a level; nil for an array
	name := false              // the next token is a member's name
	for {
		token, err := dec.Token()
		if err != nil {
			return nil // the end: the value is valid
		}
		if name {
			if key, ok := token.(string); ok {
				seen := open[len(open)-1]
				if seen[key] {
					return fmt.Errorf("the name %q is given twice", key)
				}
				seen[key] = true
				name = false
				continue
			}
		}
		switch token {
		case json.Delim('{'):
			open = append(open, map[string]bool{})
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}

// members returns an object's members by their exact names.
func members(data []byte) (map[string]json.RawMessage, error) {
	var m map[string]json.RawMessage
	err := json.Unmarshal(data, &m)
	return m, err
}

// header reads a valid object's type and timestamp and refuses reserved names.
func header(data []byte) (Message, error) {
	head, err := members(data)
	if err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrInvalidMessage, err)
	}
	for name := range head {
		if reserved(name) {
			return Message{}, fmt.Errorf("%w: the name %q is reserved", ErrInvalidMessage, name)
		}
	}
	m := Message{}
	if raw, ok := head["type"]; ok {
		if raw[0] != '"' {
			return Message{}, fmt.Errorf("%w: \"type\" must be a string", ErrInvalidMessage)
		}
		if err := json.Unmarshal(raw, &m.Type); err != nil {
			return Message{}, fmt.Errorf("%w: type: %w", ErrInvalidMessage, err)
		}
	}
	if raw, ok := head["timestamp"]; ok {
		m.stamped = true
		m.Timestamp = parseTime(raw)
	}
	return m, nil
}

// parseTime is lenient: a sender's timestamp is kept whatever its form.
func parseTime(raw json.RawMessage) time.Time {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Delivered reads a message that the service encoded itself, without validating
// it again. The topic that Encode added is taken off, so that the message can be
// sent on.
func Delivered(data []byte) (Message, error) {
	head, err := members(data)
	if err != nil {
		return Message{}, fmt.Errorf("wire: read a delivered message: %w", err)
	}
	m := Message{json: data, stamped: true, Timestamp: parseTime(head["timestamp"])}
	if err := json.Unmarshal(head["type"], &m.Type); err != nil {
		return Message{}, fmt.Errorf("wire: read the type of a delivered message: %w", err)
	}
	if raw, ok := head["topic"]; ok {
		own := append(append([]byte(`,"topic":`), raw...), '}') // as closeObject wrote it
		m.json = append(bytes.Clone(bytes.TrimSuffix(data, own)), '}')
	}
	return m, nil
}
