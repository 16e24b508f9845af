package wire

import (
	"errors"
	"fmt"
	"time"

	"boundary-app.org/realtime/internal/strictjson"
)

var (
	// ErrNotText says that a JSON value is not a string.
	ErrNotText = strictjson.ErrNotText
	// ErrSurrogate says that a JSON string has an escape that is no character.
	ErrSurrogate = strictjson.ErrSurrogate
)

// CheckStrict returns nil when data is one JSON value in valid UTF-8 in which no
// object names a member twice. The grammar is that of encoding/json; UTF-8 is
// checked on the bytes because encoding/json repairs it silently.
func CheckStrict(data []byte) error { return strictjson.Check(data) }

// Text returns the characters of a JSON string. An escape that is half of a pair of
// surrogates is refused with ErrSurrogate: encoding/json reads each as U+FFFD, so
// that different names would become the same (RFC 8259, section 8.2). Anything but
// a string is ErrNotText. Raw is valid UTF-8, as CheckStrict says of the text that
// it was cut from.
func Text(raw []byte) (string, error) { return strictjson.Text(raw) }

// checkValue accepts a strict JSON value that may travel in a message.
func checkValue(data []byte) error {
	r := strictjson.NewReader(data)
	r.Value()
	lone := r.LoneSurrogate()
	if err := r.End(); err != nil {
		return err
	}
	if lone {
		return loneSurrogate()
	}
	return nil
}

func loneSurrogate() error { return fmt.Errorf("a string or a name in it %w", ErrSurrogate) }

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
	lone := r.LoneSurrogate()
	if err := r.End(); err != nil {
		return h, err
	}
	if lone {
		return h, loneSurrogate()
	}
	return h, nil
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
		if m.Type, err = Text(h.kind); err != nil {
			return Message{}, fmt.Errorf("%w: \"type\" %w", ErrInvalidMessage, err)
		}
	}
	return m, nil
}

// parseTime is lenient: a sender's timestamp is kept whatever its form.
func parseTime(raw []byte) time.Time {
	text, err := Text(raw)
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
	if m.Type, err = Text(h.kind); err != nil {
		return Message{}, fmt.Errorf("wire: read the type of a delivered message: %w", err)
	}
	return m, nil
}
