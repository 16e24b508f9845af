package wire

import "encoding/json"

// MaxCommand bounds a command's text, in bytes.
const MaxCommand = 16 << 10

// maxRef bounds a command's ref, which is echoed in the reply, in bytes.
const maxRef = 64

// Command is what a client asks of the service: a Subscribe, Unsubscribe, Refresh,
// Ping or Connect.
type Command interface {
	// appendMembers appends the members of the command's object, without the ref.
	appendMembers(b []byte) []byte
}

// Subscribe asks for the messages of a topic.
type Subscribe struct {
	Topic string // valid, see CheckTopic
	Since string // a position to resume from; may be empty
}

// Unsubscribe ends a subscription.
type Unsubscribe struct{ Topic string }

// Refresh brings a newer token of the same user.
type Refresh struct{ Token string }

// Ping asks for a reply.
type Ping struct{}

// Connect brings the token of a connection as its first message.
type Connect struct{ Token string }

// EncodeCommand returns the text of a command. A ref, a JSON number or string of at
// most 64 bytes, comes back in the reply; it may be nil.
func EncodeCommand(c Command, ref json.RawMessage) []byte {
	b := c.appendMembers(append(make([]byte, 0, 128), '{'))
	if ref != nil {
		b = append(append(b, `,"ref":`...), ref...)
	}
	return append(b, '}')
}

func (c Subscribe) appendMembers(b []byte) []byte {
	b = appendString(append(b, `"action":"subscribe","topic":`...), c.Topic)
	if c.Since != "" {
		b = appendString(append(b, `,"since":`...), c.Since)
	}
	return b
}

func (c Unsubscribe) appendMembers(b []byte) []byte {
	return appendString(append(b, `"action":"unsubscribe","topic":`...), c.Topic)
}

func (c Refresh) appendMembers(b []byte) []byte {
	return appendString(append(b, `"action":"refresh","token":`...), c.Token)
}

func (Ping) appendMembers(b []byte) []byte { return append(b, `"action":"ping"`...) }

func (c Connect) appendMembers(b []byte) []byte {
	return appendString(append(b, `"action":"connect","token":`...), c.Token)
}

// CommandError is the reason why a command was refused or failed, in $reply.
type CommandError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *CommandError) Error() string { return e.Code + ": " + e.Message }

// The codes of a CommandError.
const (
	CodeMalformed     = "malformed"
	CodeMissingAction = "missing_action"
	CodeUnknownAction = "unknown_action"
	CodeInvalidTopic  = "invalid_topic"
	CodeForbidden     = "forbidden"
	CodeTopicLimit    = "topic_limit"
	CodeConnected     = "already_connected"
	CodeUnauthorized  = "unauthorized"
	CodeUnavailable   = "unavailable"
	CodeInternal      = "internal"
)
