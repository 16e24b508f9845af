package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"boundary-app.org/realtime/internal/strictjson"
)

// ErrInvalidFrame is the error for text that is no frame of a server.
var ErrInvalidFrame = errors.New("invalid frame")

// Frame is what a server sends in a text frame: a Connected, Reply, Closing,
// ServerPing, Delivery or UnknownFrame.
type Frame interface {
	// FrameType returns the frame's "type".
	FrameType() string
}

// Delivery is an application's message, as a client receives it.
type Delivery struct {
	Type      string
	Topic     string          // empty unless it was published to a topic
	Payload   json.RawMessage // nil if there is none
	Timestamp time.Time       // zero if it is not an RFC 3339 string
	Text      []byte          // the whole frame, for members of other names
}

// UnknownFrame is a frame of a later version of the protocol; ignore it.
type UnknownFrame struct{ Type string }

// FrameType returns "$connected".
func (Connected) FrameType() string { return "$connected" }

// FrameType returns "$reply".
func (Reply) FrameType() string { return "$reply" }

// FrameType returns "$closing".
func (Closing) FrameType() string { return "$closing" }

// FrameType returns "$ping".
func (ServerPing) FrameType() string { return "$ping" }

// FrameType returns the message's type.
func (d Delivery) FrameType() string { return d.Type }

// FrameType returns the unknown type.
func (f UnknownFrame) FrameType() string { return f.Type }

// DecodeFrame reads a text frame that a server has sent. It ignores members that it
// does not know. What it returns points into data. The error matches ErrInvalidFrame.
func DecodeFrame(data []byte) (Frame, error) {
	frame, err := decodeFrame(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidFrame, err)
	}
	return frame, nil
}

func decodeFrame(data []byte) (Frame, error) {
	delivery := Delivery{Text: data}
	err := decodeObject(data, func(d *decoder) {
		switch string(d.Name()) {
		case "type":
			d.text(&delivery.Type)
		case "topic":
			d.text(&delivery.Topic)
		case "payload":
			delivery.Payload = d.Value()
		case "timestamp":
			delivery.Timestamp = parseTime(d.Value())
		}
	})
	switch {
	case err != nil:
		return nil, err
	case delivery.Type == "":
		return nil, errors.New(`"type" is missing or empty`)
	case delivery.Type[0] != '$':
		return delivery, nil
	}
	switch delivery.Type {
	case "$connected":
		return decodeConnected(data)
	case "$reply":
		return decodeReply(data)
	case "$closing":
		return decodeClosing(data)
	case "$ping":
		return ServerPing{}, nil
	}
	return UnknownFrame{delivery.Type}, nil
}

func decodeConnected(data []byte) (c Connected, err error) {
	err = decodeObject(data, func(d *decoder) {
		switch string(d.Name()) {
		case "connectionId":
			d.text(&c.ConnectionID)
		case "userId":
			d.text(&c.UserID)
		case "roles":
			d.texts(&c.Roles)
		case "expiresAt":
			d.time(&c.ExpiresAt)
		case "pingInterval":
			d.milliseconds(&c.PingInterval)
		}
	})
	if err == nil && c.ConnectionID == "" {
		err = errors.New(`"connectionId" is missing or empty`)
	}
	return c, err
}

func decodeReply(data []byte) (r Reply, err error) {
	var ok *bool
	err = decodeObject(data, func(d *decoder) {
		switch string(d.Name()) {
		case "ref":
			r.Ref = d.Value()
		case "ok":
			d.boolean(&ok)
		case "topic":
			d.text(&r.Topic)
		case "recoverable":
			d.boolean(&r.Recoverable)
		case "expiresAt":
			d.time(&r.ExpiresAt)
		case "unsubscribed":
			d.texts(&r.Ended)
		case "error":
			d.commandError(&r.Err)
		}
	})
	switch {
	case err != nil:
	case ok == nil:
		err = errors.New(`"ok" is missing`)
	case *ok:
		r.Err = nil
	case r.Err == nil || r.Err.Code == "":
		err = errors.New(`"error" has no code`)
	}
	return r, err
}

func decodeClosing(data []byte) (c Closing, err error) {
	err = decodeObject(data, func(d *decoder) {
		switch string(d.Name()) {
		case "reason":
			d.text(&c.Reason)
		case "reconnectAfter":
			d.milliseconds(&c.ReconnectAfter)
		}
	})
	return c, err
}

// decoder reads the members of an object into variables. A null leaves a variable as
// it is.
type decoder struct {
	*strictjson.Reader
	err error // the first member with a value of the wrong kind
}

// decodeObject calls read for each member of an object.
func decodeObject(data []byte, read func(d *decoder)) error {
	d := decoder{Reader: strictjson.NewReader(data)}
	if !d.Object() {
		d.err = errors.New("it must be a JSON object")
	}
	for d.More() {
		read(&d)
	}
	if err := d.EndPaired(); err != nil {
		return err
	}
	return d.err
}

// value returns the value that comes next; nil for null.
func (d *decoder) value() []byte {
	if raw := d.Value(); string(raw) != "null" {
		return raw
	}
	return nil
}

func (d *decoder) expect(kind string, ok bool) {
	if !ok && d.err == nil {
		d.err = fmt.Errorf("%q must be %s", d.Name(), kind)
	}
}

func (d *decoder) text(to *string) {
	if raw := d.value(); raw != nil {
		text, err := strictjson.Unquote(raw)
		d.expect("a string", err == nil)
		*to = text
	}
}

func (d *decoder) texts(to *[]string) {
	raw := d.value()
	if raw == nil {
		return
	}
	d.expect("a list of strings", raw[0] == '[')
	for element := range strictjson.Elements(raw) {
		text, err := strictjson.Unquote(element)
		d.expect("a list of strings", err == nil)
		*to = append(*to, text)
	}
}

func (d *decoder) boolean(to **bool) {
	if raw := d.value(); raw != nil {
		yes := string(raw) == "true"
		d.expect("true or false", yes || string(raw) == "false")
		*to = &yes
	}
}

func (d *decoder) time(to *time.Time) {
	if raw := d.value(); raw != nil {
		*to = parseTime(raw).UTC()
		d.expect("a time as in RFC 3339", to.Year() > 1 && to.Year() < 10_000)
	}
}

func (d *decoder) milliseconds(to *time.Duration) {
	if raw := d.value(); raw != nil {
		number, err := strconv.ParseFloat(string(raw), 64)
		fits := err == nil && number >= 0 && number < math.MaxInt64/float64(time.Millisecond)
		d.expect("a number of milliseconds", fits)
		if fits {
			*to = time.Duration(number) * time.Millisecond
		}
	}
}

func (d *decoder) commandError(to **CommandError) {
	raw := d.value()
	if raw == nil {
		return
	}
	*to = &CommandError{}
	err := decodeObject(raw, func(d *decoder) {
		switch string(d.Name()) {
		case "code":
			d.text(&(*to).Code)
		case "message":
			d.text(&(*to).Message)
		}
	})
	d.expect("an object with a code", err == nil)
}
