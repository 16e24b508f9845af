package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"boundary-app.org/realtime/internal/strictjson"
)

// ParseCommand reads a command strictly, in one pass: one object of at most
// MaxCommand bytes, no duplicate names, and none but those of its action. An object
// without an action, or with an unknown one, gets CodeMissingAction or
// CodeUnknownAction whatever else is wrong with it: it may be the application's. A
// connection has its token, so that connect gets CodeConnected.
//
// The ref points into data. It is returned with an error, too, if it can be echoed.
func ParseCommand(data []byte) (c Command, ref json.RawMessage, failed *CommandError) {
	var m members
	if err := m.read(data); err != nil {
		return nil, nil, malformed(err)
	}
	action, failed := m.actionName()
	if failed == nil {
		c, failed = m.command(action)
	}
	return c, m.echo, failed
}

// ParseConnect reads a Connect strictly; a ref is allowed, and ignored. It does not
// say what is wrong: the text may hold a token in a wrong place.
func ParseConnect(data []byte) (c Connect, ok bool) {
	var m members
	if m.read(data) != nil {
		return c, false
	}
	if action, failed := m.actionName(); failed != nil || string(action) != "connect" {
		return c, false
	}
	c.Token, ok = m.onlyToken()
	return c, ok
}

// members are the members of a command as they came, nil where there is none.
type members struct {
	action, topic, since, ref, token []byte
	echo                             json.RawMessage // the ref, nil if it cannot be echoed
	unknown                          []byte          // the first name that no command has
	hasUnknown                       bool
	strict                           error // the text is JSON, but not strictly
}

// read reads one object. It returns an error if the text is none.
func (m *members) read(data []byte) error {
	if len(data) > MaxCommand {
		return fmt.Errorf("it has %d bytes; at most %d are allowed", len(data), MaxCommand)
	}
	r := strictjson.NewReader(data)
	isObject := r.Object()
	for r.More() {
		switch name := r.Name(); string(name) {
		case "action":
			m.action = r.Value()
		case "topic":
			m.topic = r.Value()
		case "since":
			m.since = r.Value()
		case "ref":
			m.ref = r.Value()
		case "token":
			m.token = r.Value()
		default:
			if !m.hasUnknown {
				m.unknown, m.hasUnknown = name, true
			}
		}
	}
	m.strict = r.End()
	if _, broken := errors.AsType[*strictjson.SyntaxError](m.strict); broken {
		return m.strict
	}
	if !isObject {
		return errors.New("it is not a JSON object")
	}
	if m.canEchoRef() {
		m.echo = m.ref
	}
	return nil
}

// actionName returns the action without quotes and escapes.
func (m *members) actionName() ([]byte, *CommandError) {
	if len(m.action) == 0 || string(m.action) == `""` || string(m.action) == "null" {
		return nil, &CommandError{CodeMissingAction, `the object has no "action"; use subscribe, unsubscribe, refresh or ping`}
	}
	if m.action[0] != '"' {
		return nil, malformed(fmt.Errorf("\"action\" %w", strictjson.ErrNotString))
	}
	name := m.action[1 : len(m.action)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		if text, err := strictjson.Unquote(m.action); err == nil {
			name = []byte(text)
		}
	}
	return name, nil
}

// command reads the command of an action.
func (m *members) command(action []byte) (Command, *CommandError) {
	switch string(action) {
	case "subscribe", "unsubscribe", "ping":
		return m.topicCommand(string(action))
	case "refresh":
		if token, ok := m.onlyToken(); ok {
			return Refresh{token}, nil
		}
		// What is wrong is not said: it may be the token.
		return nil, malformed(errors.New(`send {"action":"refresh","token":"..."} and nothing more but a ref`))
	case "connect":
		return nil, &CommandError{CodeConnected, "the connection has brought a token already; bring a newer one with refresh"}
	}
	return nil, &CommandError{
		CodeUnknownAction,
		fmt.Sprintf("the action %.32q is not known; use subscribe, unsubscribe, refresh or ping", action),
	}
}

// topicCommand reads a command that may have a topic.
func (m *members) topicCommand(action string) (Command, *CommandError) {
	topic, since, err := m.topicAndSince()
	if err != nil {
		return nil, malformed(err)
	}
	if action == "ping" {
		return Ping{}, nil
	}
	if err := CheckTopic(topic); err != nil {
		return nil, &CommandError{CodeInvalidTopic, err.Error()}
	}
	if action == "unsubscribe" {
		return Unsubscribe{topic}, nil
	}
	return Subscribe{topic, since}, nil
}

// topicAndSince reads the members of a command without a token.
func (m *members) topicAndSince() (topic, since string, err error) {
	var topicErr, sinceErr error
	topic, topicErr = textOrNull(m.topic)
	since, sinceErr = textOrNull(m.since)
	switch {
	case m.strict != nil:
		err = m.strict
	case m.hasUnknown:
		err = unknownName(m.unknown)
	case m.token != nil:
		err = unknownName([]byte("token"))
	case topicErr != nil:
		err = fmt.Errorf("\"topic\" %w", topicErr)
	case sinceErr != nil:
		err = fmt.Errorf("\"since\" %w", sinceErr)
	case m.ref != nil && m.echo == nil:
		err = m.refError()
	}
	return topic, since, err
}

func unknownName(name []byte) error {
	return fmt.Errorf("the name %.64q is not known; use action, topic, ref or since", name)
}

// onlyToken returns the token of a command that has nothing else but a ref.
func (m *members) onlyToken() (token string, ok bool) {
	if m.strict != nil || m.hasUnknown || m.topic != nil || m.since != nil || m.ref != nil && m.echo == nil {
		return "", false
	}
	token, err := strictjson.Unquote(m.token)
	return token, err == nil
}

// canEchoRef reports whether there is a ref that may stand in a reply.
func (m *members) canEchoRef() bool {
	if len(m.ref) == 0 || len(m.ref) > maxRef || !utf8.Valid(m.ref) || m.unpairedRef() {
		return false
	}
	c := m.ref[0]
	return c == '"' || c == '-' || c >= '0' && c <= '9'
}

func (m *members) refError() error {
	if m.unpairedRef() {
		return fmt.Errorf("\"ref\" %w", strictjson.ErrSurrogate)
	}
	return fmt.Errorf("\"ref\" must be a number or a string of at most %d bytes", maxRef)
}

func (m *members) unpairedRef() bool {
	if bytes.IndexByte(m.ref, '\\') < 0 {
		return false
	}
	_, err := strictjson.Unquote(m.ref)
	return errors.Is(err, strictjson.ErrSurrogate)
}

// textOrNull returns the text of a JSON string; null counts as absent.
func textOrNull(raw []byte) (string, error) {
	if raw == nil || string(raw) == "null" {
		return "", nil
	}
	return strictjson.Unquote(raw)
}

func malformed(err error) *CommandError {
	return &CommandError{CodeMalformed, "the command cannot be read: " + err.Error()}
}
