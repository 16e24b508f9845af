package session_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/session"
	"boundary-app.org/realtime/wire"
)

// Each file in testdata is a conversation:
//
//	# a comment
//	! application        from here on the application takes messages
//	> {"action":"ping"}  a client's text; \ufeff in it is a byte order mark
//	b {"action":"ping"}  the same in a binary message
//	< {"type":"$reply"}  the reply
//	= subscribe order:1  an effect, carried out
//	= subscribe t: full  an effect that fails: full, forbidden, closed
//	= refresh a.b.c      the token is taken, expires in 2027, and a topic ends
//	= application        the text goes to the application
//
// A text with neither reply nor effect is ignored.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d transcripts (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			replay(t, strings.Split(string(text), "\n"))
		})
	}
}

// replay says what the session does with each text, and compares.
func replay(t *testing.T, lines []string) {
	t.Helper()
	application := false
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch {
		case line == "", line[0] == '#':
		case line == "! application":
			application = true
		case strings.HasPrefix(line, "> "), strings.HasPrefix(line, "b "):
			var wanted []string
			for i+1 < len(lines) && lines[i+1] != "" && strings.ContainsRune("<=", rune(lines[i+1][0])) {
				i++
				wanted = append(wanted, lines[i])
			}
			got := react(line[:1], line[2:], application, outcome(wanted))
			if strings.Join(got, "\n") != strings.Join(wanted, "\n") {
				t.Errorf("%s\n got %s\nwant %s", line, strings.Join(got, "\n     "), strings.Join(wanted, "\n     "))
			}
		default:
			t.Fatalf("line %d is not understood: %s", i+1, line)
		}
	}
}

// outcomes are how an effect can fail.
var outcomes = map[string]error{
	"full":      fmt.Errorf("subscribe: %w", &wire.CommandError{Code: wire.CodeTopicLimit, Message: "at most 3 topics"}),
	"forbidden": &wire.CommandError{Code: wire.CodeForbidden, Message: "you may not"},
	"closed":    errors.New("secret of the server"),
}

// outcome returns how the wanted effect is to end: with a name of outcomes, or "".
func outcome(wanted []string) string {
	for _, line := range wanted {
		if _, outcome, ok := strings.Cut(line, ": "); ok && line[0] == '=' {
			return outcome
		}
	}
	return ""
}

// react returns what the session makes of a text, as lines of a transcript.
func react(kind, text string, application bool, outcome string) []string {
	read := session.Read
	if kind == "b" {
		read = session.ReadBinary
	}
	step := read([]byte(strings.ReplaceAll(text, `\ufeff`, "\ufeff")), application)
	suffix := ""
	if outcome != "" {
		suffix = ": " + outcome
	}
	switch step.Kind {
	case session.Application:
		return []string{"= application"}
	case session.Answer:
		return []string{"< " + string(step.Reply.Encode())}
	case session.Execute:
		effect, reply := execute(step.Command, outcomes[outcome])
		reply.Ref = step.Ref
		return []string{"= " + effect + suffix, "< " + string(reply.Encode())}
	}
	return nil
}

// execute returns what a command does, and the reply when it ends with err.
func execute(c wire.Command, err error) (effect string, reply wire.Reply) {
	switch c := c.(type) {
	case wire.Subscribe:
		return "subscribe " + c.Topic, session.Subscribed(c, err)
	case wire.Unsubscribe:
		return "unsubscribe " + c.Topic, wire.Reply{Topic: c.Topic}
	case wire.Refresh:
		return "refresh " + c.Token, session.Refreshed(time.Unix(1800000000, 0), []string{"order:1"}, err)
	}
	return fmt.Sprintf("%T", c), wire.Reply{}
}
