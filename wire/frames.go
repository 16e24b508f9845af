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
	b = appendStrings(append(b, `,"roles":`...), c.Roles)
	b = append(b, `,"expiresAt":`...)
	if c.ExpiresAt.IsZero() {
		b = append(b, "null"...)
	} else {
		b = append(b, '"')
		b = appendTime(b, c.ExpiresAt)
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

// Encode returns the frame's text, with the ref as it came.
func (r Reply) Encode() []byte {
	b := append(make([]byte, 0, 128+len(r.Ref)+len(r.Topic)), `{"type":"$reply"`...)
	if len(r.Ref) > 0 {
		b = append(append(b, `,"ref":`...), r.Ref...)
	}
	b = strconv.AppendBool(append(b, `,"ok":`...), r.Err == nil)
	if r.Topic != "" {
		b = appendString(append(b, `,"topic":`...), r.Topic)
	}
	if r.Recoverable != nil {
		b = strconv.AppendBool(append(b, `,"recoverable":`...), *r.Recoverable)
	}
	if !r.ExpiresAt.IsZero() {
		b = append(appendTime(append(b, `,"expiresAt":"`...), r.ExpiresAt), '"')
	}
	if len(r.Ended) > 0 {
		b = appendStrings(append(b, `,"unsubscribed":`...), r.Ended)
	}
	if r.Err != nil {
		b = appendString(append(b, `,"error":{"code":`...), r.Err.Code)
		b = append(appendString(append(b, `,"message":`...), r.Err.Message), '}')
	}
	return append(b, '}')
}

// appendStrings appends a JSON list.
func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
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

// ServerPing is sent to clients of the subprotocol at every ping interval, since a
// browser hides WebSocket pings from JavaScript.
type ServerPing struct{}

// Encode returns the frame's text.
func (ServerPing) Encode() []byte { return []byte(`{"type":"$ping"}`) }
