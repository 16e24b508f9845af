package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"boundary-app.org/realtime/internal/strictjson"
)

// The actions of a client's commands.
const (
	ActionSubscribe   = "subscribe"
	ActionUnsubscribe = "unsubscribe"
	ActionPing        = "ping"
	ActionConnect     = "connect" // the first, where the token comes as a message: see ParseConnect
	ActionRefresh     = "refresh" // brings a newer token
)

// MaxCommand bounds a command's text, in bytes.
const MaxCommand = 16 << 10

// maxRef bounds a command's ref, which is echoed in the reply, in bytes.
const maxRef = 64

// Command is what a client asks of the service: {"action":"subscribe",
// "topic":"order:123","ref":1}.
type Command struct {
	Action string
	Topic  string
	Ref    json.RawMessage // a number or a string, echoed in the reply
	Since  string          // a position to resume from
	Token  string          // of refresh
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

// ParseCommand reads a command strictly, in one pass: one object of at most
// MaxCommand bytes, no duplicate names, and none but those of its action. An
// object that names no action, or an unknown one, gets CodeMissingAction or
// CodeUnknownAction whatever else is wrong with it: it may be the application's. A
// connection has its token, so connect gets CodeConnected.
//
// Where it fails, the command returned still has the ref, if one could be read, so
// that the reply can carry it. The ref points into data.
func ParseCommand(data []byte) (Command, *CommandError) {
	p, err := readParts(data)
	if err != nil {
		return Command{}, malformed(err)
	}
	c := Command{Ref: p.usableRef()}
	var failed *CommandError
	switch action, err := p.actionName(); action {
	case ActionSubscribe, ActionUnsubscribe, ActionPing:
		failed = p.plain(&c)
		c.Action = action
	case ActionRefresh:
		var ok bool
		if c.Token, ok = p.tokenAlone(); !ok { // what is wrong is not said: it may be the token
			failed = malformed(errors.New(`send {"action":"refresh","token":"..."} and nothing more but a ref`))
		}
		c.Action = action
	case ActionConnect:
		failed = &CommandError{CodeConnected, "the connection has brought a token already; bring a newer one with refresh"}
	default:
		failed = err
	}
	if failed != nil {
		return Command{Ref: c.Ref}, failed
	}
	return c, nil
}

// ParseConnect reads the command that brings a client's token, {"action":
// "connect","token":"..."}, strictly; a ref is allowed, and has no use. What is
// wrong is not said: the text may hold a token where it does not belong.
func ParseConnect(data []byte) (token string, ok bool) {
	p, err := readParts(data)
	if err != nil {
		return "", false
	}
	if action, _ := p.actionName(); action != ActionConnect {
		return "", false
	}
	return p.tokenAlone()
}

// parts are the members of a command as they came, and what is wrong with it as a
// whole.
type parts struct {
	action, topic, since, ref, token []byte
	unknown                          []byte // the first name that no command has
	hasUnknown                       bool
	strict                           error // the text is JSON, but not strictly
}

// readParts reads the members of one object; the error says that there is none.
func readParts(data []byte) (p parts, err error) {
	if len(data) > MaxCommand {
		return p, fmt.Errorf("it has %d bytes; at most %d are allowed", len(data), MaxCommand)
	}
	r := strictjson.NewReader(data)
	isObject := r.Object()
	for r.More() {
		switch name := r.Name(); string(name) {
		case "action":
			p.action = r.Value()
		case "topic":
			p.topic = r.Value()
		case "since":
			p.since = r.Value()
		case "ref":
			p.ref = r.Value()
		case "token":
			p.token = r.Value()
		default:
			if !p.hasUnknown {
				p.unknown, p.hasUnknown = name, true
			}
		}
	}
	p.strict = r.End()
	switch {
	case p.strict != nil && isSyntax(p.strict):
		return p, p.strict
	case !isObject:
		return p, errors.New("it is not a JSON object")
	}
	return p, nil
}

func isSyntax(err error) bool {
	var broken *strictjson.SyntaxError
	return errors.As(err, &broken)
}

// actionName returns the action, without an allocation where it is known; or the
// error that there is no such action.
func (p *parts) actionName() (string, *CommandError) {
	if len(p.action) == 0 || string(p.action) == `""` || string(p.action) == "null" {
		return "", &CommandError{CodeMissingAction, `the object has no "action"; use subscribe, unsubscribe, refresh or ping`}
	}
	if p.action[0] != '"' {
		return "", malformed(fmt.Errorf("\"action\" %w", ErrNotText))
	}
	switch string(p.action) {
	case `"subscribe"`:
		return ActionSubscribe, nil
	case `"unsubscribe"`:
		return ActionUnsubscribe, nil
	case `"ping"`:
		return ActionPing, nil
	case `"refresh"`:
		return ActionRefresh, nil
	}
	action, err := Text(p.action)
	if err != nil {
		action = string(p.action) // its escapes are broken: it is no action of ours
	}
	return action, &CommandError{
		CodeUnknownAction,
		fmt.Sprintf("the action %.32q is not known; use subscribe, unsubscribe, refresh or ping", action),
	}
}

// plain reads the members of a command without a token into c.
func (p *parts) plain(c *Command) *CommandError {
	var topicErr, sinceErr error
	c.Topic, topicErr = textOrNull(p.topic)
	c.Since, sinceErr = textOrNull(p.since)
	switch {
	case p.strict != nil:
		return malformed(p.strict)
	case p.hasUnknown:
		return malformed(unknownName(p.unknown))
	case p.token != nil:
		return malformed(unknownName([]byte("token")))
	case topicErr != nil:
		return malformed(fmt.Errorf("\"topic\" %w", topicErr))
	case sinceErr != nil:
		return malformed(fmt.Errorf("\"since\" %w", sinceErr))
	case p.ref != nil && p.loneRef():
		return malformed(fmt.Errorf("\"ref\" %w", ErrSurrogate))
	case p.ref != nil && c.Ref == nil:
		return malformed(fmt.Errorf("\"ref\" must be a number or a string of at most %d bytes", maxRef))
	}
	return nil
}

func unknownName(name []byte) error {
	return fmt.Errorf("the name %.64q is not known; use action, topic, ref or since", name)
}

// tokenAlone returns the token of a command that has nothing else but a ref.
func (p *parts) tokenAlone() (token string, ok bool) {
	if p.strict != nil || p.hasUnknown || p.topic != nil || p.since != nil || p.ref != nil && p.usableRef() == nil {
		return "", false
	}
	token, err := Text(p.token)
	return token, err == nil
}

// usableRef returns the ref, nil where it cannot be echoed.
func (p *parts) usableRef() json.RawMessage {
	if len(p.ref) == 0 || len(p.ref) > maxRef || !utf8.Valid(p.ref) || p.loneRef() {
		return nil
	}
	if c := p.ref[0]; c != '"' && c != '-' && (c < '0' || c > '9') {
		return nil
	}
	return p.ref
}

// loneRef reports whether the ref has an escape that is half of a surrogate pair.
func (p *parts) loneRef() bool {
	if bytes.IndexByte(p.ref, '\\') < 0 {
		return false
	}
	_, err := Text(p.ref)
	return errors.Is(err, ErrSurrogate)
}

// textOrNull is Text, but null counts as absent.
func textOrNull(raw []byte) (string, error) {
	if raw == nil || string(raw) == "null" {
		return "", nil
	}
	return Text(raw)
}

func malformed(err error) *CommandError {
	return &CommandError{CodeMalformed, "the command cannot be read: " + err.Error()}
}
