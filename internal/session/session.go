// Package session decides what a client's text means and how it is answered.
// It is pure: no I/O, no locks, no clock. Everything here is safe for
// concurrent use.
package session

import (
	"errors"
	"fmt"
	"time"

	"boundary-app.org/realtime/wire"
)

// Kind says what is to be done about a client's text.
type Kind int

// The kinds of a step.
const (
	Ignore      Kind = iota // nothing
	Application             // hand the text to the application's OnMessage
	Answer                  // send Reply; nothing else happens
	Subscribe               // subscribe to Command.Topic, then Conclude
	Unsubscribe             // unsubscribe from Command.Topic, then Conclude
	Refresh                 // take Token in place of the old one, then ConcludeRefresh
)

// Step is what follows from a client's text.
type Step struct {
	Kind    Kind
	Command wire.Command
	Token   string
	Reply   wire.Reply // of Answer
}

// Read decides about a client's text. application says that the application
// takes messages: what is not one of our commands is then its own.
func Read(text []byte, application bool) Step {
	action, broken := wire.Action(text)
	switch {
	case broken:
		return refuse(wire.ParseCommand(text)) // which says what is broken
	case action == wire.ActionSubscribe, action == wire.ActionUnsubscribe, action == wire.ActionPing:
		return command(text)
	case action == wire.ActionConnect:
		c, _ := wire.ParseCommand(text) // for the ref; the token is no business of anybody's any more
		return refuse(c, &wire.CommandError{
			Code:    wire.CodeConnected,
			Message: "the connection has brought a token already; bring a newer one with refresh",
		})
	case action == wire.ActionRefresh:
		return refresh(text)
	case application:
		return Step{Kind: Application}
	case action != "":
		c, _ := wire.ParseCommand(text)
		return refuse(c, &wire.CommandError{
			Code:    wire.CodeUnknownAction,
			Message: fmt.Sprintf("the action %.32q is not known; use subscribe, unsubscribe, refresh or ping", action),
		})
	case looksLikeObject(text):
		return malformed(text)
	}
	return Step{Kind: Ignore}
}

func command(text []byte) Step {
	c, err := wire.ParseCommand(text)
	if err != nil {
		return refuse(c, err)
	}
	if c.Action == wire.ActionPing {
		return Step{Kind: Answer, Command: c, Reply: wire.Reply{Ref: c.Ref}}
	}
	if err := wire.CheckTopic(c.Topic); err != nil {
		return refuse(c, &wire.CommandError{Code: wire.CodeInvalidTopic, Message: err.Error()})
	}
	if c.Action == wire.ActionSubscribe {
		return Step{Kind: Subscribe, Command: c}
	}
	return Step{Kind: Unsubscribe, Command: c}
}

func refresh(text []byte) Step {
	token, ref, ok := wire.ParseRefresh(text)
	c := wire.Command{Action: wire.ActionRefresh, Ref: ref}
	if !ok { // what is wrong is not said: it may be the token
		return refuse(c, &wire.CommandError{
			Code:    wire.CodeMalformed,
			Message: `the command cannot be read: send {"action":"refresh","token":"..."} and nothing more but a ref`,
		})
	}
	return Step{Kind: Refresh, Command: c, Token: token}
}

// malformed answers an object that is not JSON; a whole object that is no
// command is nobody's business and ignored.
func malformed(text []byte) Step {
	if wire.CheckStrict(text) == nil {
		return Step{Kind: Ignore}
	}
	return refuse(wire.ParseCommand(text))
}

func looksLikeObject(text []byte) bool {
	for _, c := range text {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c == '{'
		}
	}
	return false
}

func refuse(c wire.Command, err *wire.CommandError) Step {
	return Step{Kind: Answer, Command: c, Reply: wire.Reply{Ref: c.Ref, Err: err}}
}

// ConcludeRefresh returns the reply to a Refresh: when the new token expires, and
// the topics that ended with the old one; or what Conclude says of err.
func ConcludeRefresh(c wire.Command, expires time.Time, ended []string, err error) wire.Reply {
	if err != nil {
		return Conclude(c, err)
	}
	return wire.Reply{Ref: c.Ref, ExpiresAt: expires, Ended: ended}
}

// Conclude returns the reply to a Subscribe or Unsubscribe that ended with err,
// nil when it was done. A *wire.CommandError in err's chain is shown to the
// client; of any other error it learns only that there was one.
func Conclude(c wire.Command, err error) wire.Reply {
	reply := wire.Reply{Ref: c.Ref, Topic: c.Topic}
	if err != nil {
		reply.Topic = ""
		if !errors.As(err, &reply.Err) {
			reply.Err = &wire.CommandError{Code: wire.CodeInternal, Message: "the command failed; try again"}
		}
		return reply
	}
	if c.Action == wire.ActionSubscribe {
		recoverable := false
		reply.Recoverable = &recoverable
	}
	return reply
}
