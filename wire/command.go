package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// The actions of a client's commands.
const (
	ActionSubscribe   = "subscribe"
	ActionUnsubscribe = "unsubscribe"
	ActionPing        = "ping"
	ActionConnect     = "connect" // the first, where the token comes as a message: see ParseConnect
	ActionRefresh     = "refresh" // a newer token: see ParseRefresh
)

// maxRef bounds a command's ref, which is echoed in the reply, in octets.
const maxRef = 64

// Command is what a client asks of the service: {"action":"subscribe",
// "topic":"order:123","ref":1}.
type Command struct {
	Action string
	Topic  string
	Ref    json.RawMessage // a number or a string, echoed in the reply
	Since  string          // a position to resume from
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
	CodeConnected     = "already_connected"
	CodeUnauthorized  = "unauthorized"
	CodeUnavailable   = "unavailable"
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
	head, err := members(data)
	if err != nil {
		return "", true
	}
	raw, ok := head["action"]
	if !ok {
		return "", false
	}
	return action, json.Unmarshal(raw, &action) != nil
}

// ParseCommand reads a command strictly: one object, no duplicate and no
// unknown names. Where it fails, the command returned still has the ref, if
// one could be read, so that the reply can carry it.
func ParseCommand(data []byte) (Command, *CommandError) {
	ref := readRef(data)
	if err := CheckStrict(data); err != nil {
		return Command{Ref: ref}, malformed(err)
	}
	head, err := members(data)
	if err != nil {
		return Command{Ref: ref}, malformed(err)
	}
	var c Command
	for name, raw := range head {
		if err := c.set(name, raw); err != nil {
			return Command{Ref: ref}, malformed(err)
		}
	}
	if len(c.Ref) > 0 && ref == nil {
		return Command{}, malformed(fmt.Errorf("\"ref\" must be a number or a string of at most %d octets", maxRef))
	}
	c.Ref = ref
	return c, nil
}

// ParseConnect reads the command that brings a client's token, {"action":
// "connect","token":"..."}, strictly; a ref is allowed, and has no use. What is
// wrong is not said: the text may hold a token where it does not belong.
func ParseConnect(data []byte) (token string, ok bool) {
	token, _, ok = parseToken(data, ActionConnect)
	return token, ok
}

// ParseRefresh reads the command that brings a newer token, {"action":"refresh",
// "token":"...","ref":1}, in the same way. The ref is returned wherever it can be
// read, for the reply.
func ParseRefresh(data []byte) (token string, ref json.RawMessage, ok bool) {
	return parseToken(data, ActionRefresh)
}

func parseToken(data []byte, action string) (token string, ref json.RawMessage, ok bool) {
	ref = readRef(data)
	if CheckStrict(data) != nil {
		return "", ref, false
	}
	head, err := members(data)
	if err != nil || head["ref"] != nil && ref == nil {
		return "", ref, false
	}
	delete(head, "ref")
	named, err := Text(head["action"])
	if err != nil || named != action || len(head) != 2 {
		return "", ref, false
	}
	token, err = Text(head["token"])
	return token, ref, err == nil
}

// set reads one member. Names are compared exactly, which encoding/json does not.
func (c *Command) set(name string, raw json.RawMessage) (err error) {
	switch name {
	case "action":
		c.Action, err = textOrNull(raw)
	case "topic":
		c.Topic, err = textOrNull(raw)
	case "since":
		c.Since, err = textOrNull(raw)
	case "ref":
		c.Ref = raw
	default:
		return fmt.Errorf("the name %.64q is not known; use action, topic, ref or since", name)
	}
	if err != nil {
		return fmt.Errorf("%q %w", name, err)
	}
	return nil
}

// textOrNull is Text, but null counts as absent.
func textOrNull(raw json.RawMessage) (string, error) {
	if string(raw) == "null" {
		return "", nil
	}
	return Text(raw)
}

func malformed(err error) *CommandError {
	return &CommandError{Code: CodeMalformed, Message: "the command cannot be read: " + err.Error()}
}

func readRef(data []byte) json.RawMessage {
	head, err := members(data)
	ref := head["ref"]
	if err != nil || len(ref) > maxRef || len(ref) == 0 || !utf8.Valid(ref) {
		return nil
	}
	if c := ref[0]; c != '"' && c != '-' && (c < '0' || c > '9') {
		return nil
	}
	return ref
}
