// Package session decides what a client's text means and how to reply.
// It is pure: no I/O, no locks, no clock. Everything here is safe for
// concurrent use.
package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"boundary-app.org/realtime/internal/strictjson"
	"boundary-app.org/realtime/wire"
)

// Kind is what to do with a client's text.
type Kind int

// The kinds of a step.
const (
	Ignore      Kind = iota // nothing
	Application             // hand the text to the application's OnMessage
	Answer                  // send Reply; nothing else happens
	Execute                 // execute Command, and reply with Ref
)

// Step is what follows from a client's text.
type Step struct {
	Kind    Kind
	Command wire.Command    // of Execute: a Subscribe, Unsubscribe or Refresh
	Ref     json.RawMessage // of Execute
	Reply   wire.Reply      // of Answer
}

// byteOrderMark is what some editors and languages write before UTF-8.
const byteOrderMark = "\ufeff"

// TrimBOM returns what follows the byte order marks at the beginning of a text, and
// whether there are any.
func TrimBOM(text []byte) (rest []byte, found bool) {
	for {
		after, marked := bytes.CutPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte(byteOrderMark))
		if !marked {
			return text, found
		}
		text, found = after, true
	}
}

// Read returns what to do with a client's text. If application is true, the
// application takes messages: it gets text that is no command of the protocol, and
// text that is longer than any command.
func Read(text []byte, application bool) Step {
	if len(text) > wire.MaxCommand {
		return readLong(text, application)
	}
	rest, marked := TrimBOM(text)
	if !strictjson.StartsObject(rest) || application && !holdsAction(rest) {
		return notOurs(application)
	}
	c, ref, err := wire.ParseCommand(rest)
	switch {
	case application && namesNone(err):
		return Step{Kind: Application}
	case marked:
		return refuse(ref, malformed("the text begins with a byte order mark; send JSON without it"))
	case err != nil:
		return refuse(ref, err)
	}
	if _, ping := c.(wire.Ping); ping {
		return Step{Kind: Answer, Reply: wire.Reply{Ref: ref}}
	}
	return Step{Kind: Execute, Command: c, Ref: ref}
}

// ReadBinary is Read for a binary message, which holds no command.
func ReadBinary(data []byte, application bool) Step {
	rest, _ := TrimBOM(data)
	if application || !strictjson.StartsObject(rest) {
		return notOurs(application)
	}
	return refuse(nil, malformed("it came in a binary frame; send commands as text frames"))
}

// readLong is Read for text that is too long to be a command, which is not parsed.
func readLong(text []byte, application bool) Step {
	if application {
		return notOurs(application)
	}
	_, _, err := wire.ParseCommand(text)
	return refuse(nil, err)
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

func malformed(text string) *wire.CommandError {
	return &wire.CommandError{Code: wire.CodeMalformed, Message: "the command cannot be read: " + text}
}

func refuse(ref json.RawMessage, err *wire.CommandError) Step {
	return Step{Kind: Answer, Reply: wire.Reply{Ref: ref, Err: err}}
}

// Subscribed returns the reply to a Subscribe that ended with err, nil for success.
func Subscribed(c wire.Subscribe, err error) wire.Reply {
	if err != nil {
		return Failed(err)
	}
	recoverable := false
	return wire.Reply{Topic: c.Topic, Recoverable: &recoverable}
}

// Refreshed returns the reply to a Refresh that ended with err, or else: when the new
// token expires, and the topics that it does not allow.
func Refreshed(expires time.Time, ended []string, err error) wire.Reply {
	if err != nil {
		return Failed(err)
	}
	return wire.Reply{ExpiresAt: expires, Ended: ended}
}

// Failed returns the reply to a command that failed. A *wire.CommandError in err's
// chain is shown to the client; any other error is not.
func Failed(err error) (reply wire.Reply) {
	if !errors.As(err, &reply.Err) {
		reply.Err = &wire.CommandError{Code: wire.CodeInternal, Message: "the command failed; try again"}
	}
	return reply
}
