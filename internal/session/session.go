// Package session decides what a client's text means and how it is answered.
// It is pure: no I/O, no locks, no clock. Everything here is safe for
// concurrent use.
package session

import (
	"bytes"
	"errors"
	"time"

	"boundary-app.org/realtime/internal/strictjson"
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
	Refresh                 // take Command.Token in place of the old one, then ConcludeRefresh
)

// Step is what follows from a client's text.
type Step struct {
	Kind    Kind
	Command wire.Command
	Reply   wire.Reply // of Answer
}

// byteOrderMark is what some editors and languages write before UTF-8.
const byteOrderMark = "\ufeff"

// CutMarks returns what follows the byte order marks at the beginning of a text, and
// whether there are any.
func CutMarks(text []byte) (rest []byte, marked bool) {
	for {
		after, found := bytes.CutPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte(byteOrderMark))
		if !found {
			return text, marked
		}
		text, marked = after, true
	}
}

// Read decides about a client's text. application says that the application
// takes messages: what is not one of our commands is then its own, and so is text
// that is longer than any command.
func Read(text []byte, application bool) Step {
	if len(text) > wire.MaxCommand {
		return readLong(text, application)
	}
	rest, marked := CutMarks(text)
	if application && !holdsAction(rest) {
		return Step{Kind: Application}
	}
	if !strictjson.StartsObject(rest) {
		return notOurs(application)
	}
	c, err := wire.ParseCommand(rest)
	switch {
	case application && namesNone(err):
		return Step{Kind: Application}
	case marked:
		return refuse(c, malformed("the text begins with a byte order mark; send JSON without it"))
	case err != nil:
		return refuse(c, err)
	}
	return command(c)
}

// ReadBinary is Read for a binary message, which holds no command.
func ReadBinary(data []byte, application bool) Step {
	rest, _ := CutMarks(data)
	if application || !strictjson.StartsObject(rest) {
		return notOurs(application)
	}
	return refuse(wire.Command{}, malformed("it came in a binary frame; send commands as text frames"))
}

// readLong is Read for text that is too long to be a command, which is not parsed.
func readLong(text []byte, application bool) Step {
	if application {
		return notOurs(application)
	}
	_, err := wire.ParseCommand(text)
	return refuse(wire.Command{}, err)
}

// notOurs leaves to the application what cannot be a command.
func notOurs(application bool) Step {
	if application {
		return Step{Kind: Application}
	}
	return Step{Kind: Ignore}
}

// namesNone reports whether an object names no action of ours.
func namesNone(err *wire.CommandError) bool {
	return err != nil && (err.Code == wire.CodeMissingAction || err.Code == wire.CodeUnknownAction)
}

func command(c wire.Command) Step {
	switch c.Action {
	case wire.ActionPing:
		return Step{Kind: Answer, Command: c, Reply: wire.Reply{Ref: c.Ref}}
	case wire.ActionRefresh:
		return Step{Kind: Refresh, Command: c}
	}
	if err := wire.CheckTopic(c.Topic); err != nil {
		return refuse(c, &wire.CommandError{Code: wire.CodeInvalidTopic, Message: err.Error()})
	}
	if c.Action == wire.ActionSubscribe {
		return Step{Kind: Subscribe, Command: c}
	}
	return Step{Kind: Unsubscribe, Command: c}
}

func malformed(text string) *wire.CommandError {
	return &wire.CommandError{Code: wire.CodeMalformed, Message: "the command cannot be read: " + text}
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
