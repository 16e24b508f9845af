package wire

import (
	"encoding/json"
	"strconv"
	"time"
)

// Connected is the first frame of a connection.
type Connected struct {
	ConnectionID string
	UserID       string
	Roles        []string
	ExpiresAt    time.Time     // zero: the connection has no expiry
	PingInterval time.Duration // zero: no pings
}

// Encode returns the frame's text.
func (c Connected) Encode() []byte {
	b := make([]byte, 0, 256)
	b = append(b, `{"type":"$connected","connectionId":`...)
	b = appendString(b, c.ConnectionID)
	b = append(b, `,"userId":`...)
	b = appendString(b, c.UserID)
	b = append(b, `,"roles":[`...)
	for i, role := range c.Roles {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, role)
	}
	b = append(b, `],"expiresAt":`...)
	if c.ExpiresAt.IsZero() {
		b = append(b, "null"...)
	} else {
		b = append(b, '"')
		b = c.ExpiresAt.UTC().AppendFormat(b, timeLayout)
		b = append(b, '"')
	}
	b = append(b, `,"pingInterval":`...)
	b = strconv.AppendInt(b, c.PingInterval.Milliseconds(), 10)
	return append(b, '}')
}

// Reply answers one command.
type Reply struct {
	Ref         json.RawMessage
	Topic       string        // of subscribe and unsubscribe
	Recoverable *bool         // of subscribe: whether the topic can be resumed
	ExpiresAt   time.Time     // of refresh: when the new token expires; zero: never, or no refresh
	Ended       []string      // of refresh: the topics that the new token does not allow
	Err         *CommandError // nil: the command was carried out
}

// Encode returns the frame's text.
func (r Reply) Encode() []byte {
	expires := ""
	if !r.ExpiresAt.IsZero() {
		expires = r.ExpiresAt.UTC().Format(timeLayout)
	}
	out, _ := json.Marshal(struct { // strings, booleans and valid JSON always encode
		Type        string          `json:"type"`
		Ref         json.RawMessage `json:"ref,omitempty"`
		OK          bool            `json:"ok"`
		Topic       string          `json:"topic,omitempty"`
		Recoverable *bool           `json:"recoverable,omitempty"`
		ExpiresAt   string          `json:"expiresAt,omitempty"`
		Ended       []string        `json:"unsubscribed,omitempty"`
		Error       *CommandError   `json:"error,omitempty"`
	}{"$reply", r.Ref, r.Err == nil, r.Topic, r.Recoverable, expires, r.Ended, r.Err})
	return out
}

// Closing tells a client that the server is about to close the connection, or to
// refuse it, and how long to wait before it connects again.
type Closing struct {
	Reason         string
	ReconnectAfter time.Duration
}

// Encode returns the frame's text.
func (c Closing) Encode() []byte {
	b := append(make([]byte, 0, 96), `{"type":"$closing","reason":`...)
	b = appendString(b, c.Reason)
	b = append(b, `,"reconnectAfter":`...)
	b = strconv.AppendInt(b, c.ReconnectAfter.Milliseconds(), 10)
	return append(b, '}')
}

// Ping is the text frame that a client of the subprotocol sees at every ping
// interval, since a browser hides WebSocket pings from JavaScript.
const Ping = `{"type":"$ping"}`
