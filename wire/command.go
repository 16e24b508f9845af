package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

// The actions of a client's commands.
const (
	ActionSubscribe   = "subscribe"
	ActionUnsubscribe = "unsubscribe"
	ActionPing        = "ping"
)

// maxRef bounds a command's ref, which is echoed in the reply, in octets.
const maxRef = 64

// Command is what a client asks of the service: {"action":"subscribe",
// "topic":"order:123","ref":1}.
type Command struct {
	Action string          `json:"action"`
	Topic  string          `json:"topic,omitempty"`
	Ref    json.RawMessage `json:"ref,omitempty"`   // a number or a string, echoed in the reply
	Since  string          `json:"since,omitempty"` // a position to resume from
}

// CommandError says why a command was not carried out; it travels in $reply.
type CommandError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *CommandError) Error() string { return e.Code + ": " + e.Message }

// The codes of a CommandError.
const (
	CodeMalformed     = "malformed"
	CodeUnknownAction = "unknown_action"
	CodeInvalidTopic  = "invalid_topic"
	CodeForbidden     = "forbidden"
	CodeTopicLimit    = "topic_limit"
	CodeInternal      = "internal"
)

// Action returns the action that a client's text names, "" when the text is
// not a JSON object with an "action" that is a string. Broken reports text
// that was meant as a command (an object that speaks of an action) but cannot
// be read as one.
func Action(data []byte) (action string, broken bool) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' || !bytes.Contains(data, []byte(`"action"`)) {
		return "", false
	}
	var head struct {
		Action json.RawMessage `json:"action"`
	}
	if json.Unmarshal(data, &head) != nil {
		return "", true
	}
	if json.Unmarshal(head.Action, &action) != nil {
		return "", head.Action != nil
	}
	return action, false
}

// ParseCommand reads a command strictly: one object, no duplicate and no
// unknown names. Where it fails, the command returned still has the ref, if
// one could be read, so that the reply can carry it.
func ParseCommand(data []byte) (Command, *CommandError) {
	ref := readRef(data)
	if err := checkValue(data); err != nil {
		return Command{Ref: ref}, malformed(err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var c Command
	if err := dec.Decode(&c); err != nil && err != io.EOF {
		return Command{Ref: ref}, malformed(err)
	}
	if len(c.Ref) > 0 && ref == nil {
		return Command{}, malformed(fmt.Errorf("\"ref\" must be a number or a string of at most %d octets", maxRef))
	}
	c.Ref = ref
	return c, nil
}

func malformed(err error) *CommandError {
	return &CommandError{Code: CodeMalformed, Message: "the command cannot be read: " + err.Error()}
}

func readRef(data []byte) json.RawMessage {
	var head struct {
		Ref json.RawMessage `json:"ref"`
	}
	if !utf8.Valid(data) || json.Unmarshal(data, &head) != nil || len(head.Ref) > maxRef || len(head.Ref) == 0 {
		return nil
	}
	if c := head.Ref[0]; c != '"' && c != '-' && (c < '0' || c > '9') {
		return nil
	}
	return head.Ref
}
