package wire

import (
	"errors"
	"fmt"
	"time"

	"boundary-app.org/realtime/internal/strictjson"
)

// checkValue accepts a strict JSON value that may travel in a message.
func checkValue(data []byte) error { return strictjson.NewReader(data).EndPaired() }

// head is what the service reads of a message.
type head struct {
	kind, timestamp []byte
	reserved        []byte // the first name that is
	hasReserved     bool
}

// readHead reads a strict JSON object that may travel as a message, in one pass.
func readHead(data []byte) (h head, err error) {
	r := strictjson.NewReader(data)
	if !r.Object() {
		return h, errors.New(`it must be a JSON object such as {"type":"order-updated","payload":{}}`)
	}
	for r.More() {
		name := r.Name()
		switch string(name) {
		case "type":
			h.kind = r.Value()
			continue
		case "timestamp":
			h.timestamp = r.Value()
			continue
		}
		if !h.hasReserved && reserved(name) {
			h.reserved, h.hasReserved = name, true
		}
	}
	return h, r.EndPaired()
}

// header reads a message's type and timestamp and refuses reserved names.
func header(data []byte) (Message, error) {
	h, err := readHead(data)
	if err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrInvalidMessage, err)
	}
	if h.hasReserved {
		return Message{}, fmt.Errorf("%w: the name %q is reserved", ErrInvalidMessage, h.reserved)
	}
	m := Message{stamped: h.timestamp != nil, Timestamp: parseTime(h.timestamp)}
	if h.kind != nil {
		if m.Type, err = strictjson.Unquote(h.kind); err != nil {
			return Message{}, fmt.Errorf("%w: \"type\" %w", ErrInvalidMessage, err)
		}
	}
	return m, nil
}

// parseTime is lenient: a sender's timestamp is kept whatever its form.
func parseTime(raw []byte) time.Time {
	text, err := strictjson.Unquote(raw)
	if err != nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Delivered reads a message that the service encoded itself.
func Delivered(data []byte) (Message, error) {
	h, err := readHead(data)
	if err != nil {
		return Message{}, fmt.Errorf("wire: read a delivered message: %w", err)
	}
	m := Message{json: data, stamped: true, Timestamp: parseTime(h.timestamp)}
	if m.Type, err = strictjson.Unquote(h.kind); err != nil {
		return Message{}, fmt.Errorf("wire: read the type of a delivered message: %w", err)
	}
	return m, nil
}
