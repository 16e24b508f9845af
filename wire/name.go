package wire

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MatchTopic reports whether a pattern covers a topic: a topic covers itself, and
// a beginning of topics followed by "*" all that begin so.
func MatchTopic(pattern, topic string) bool {
	if prefix, wildcard := strings.CutSuffix(pattern, "*"); wildcard {
		return strings.HasPrefix(topic, prefix)
	}
	return topic == pattern
}

// MaxName is the longest topic, user id or role, in bytes.
const MaxName = 255

// What is refused before anything is sent or subscribed. Errors of this
// package match one of these by errors.Is and say in their text what to do.
var (
	ErrInvalidTopic   = errors.New("invalid topic")
	ErrInvalidTarget  = errors.New("invalid target")
	ErrInvalidMessage = errors.New("invalid message")
)

// CheckTopic returns nil when topic can be subscribed and published to: valid
// UTF-8 of 1 to 255 bytes without control characters, without "*" and ">"
// (patterns use them as wildcards), not beginning with "$", and without an
// empty segment between colons. The error matches ErrInvalidTopic.
func CheckTopic(topic string) error {
	if problem := nameProblem(topic); problem != "" {
		return fmt.Errorf("%w: %s", ErrInvalidTopic, problem)
	}
	switch {
	case topic[0] == '$':
		return fmt.Errorf("%w: it begins with \"$\", which is reserved", ErrInvalidTopic)
	case strings.IndexByte(topic, '*') >= 0 || strings.IndexByte(topic, '>') >= 0:
		return fmt.Errorf("%w: it contains \"*\" or \">\", which are kept for the wildcards of patterns", ErrInvalidTopic)
	case topic[0] == ':' || topic[len(topic)-1] == ':' || strings.Contains(topic, "::"):
		return fmt.Errorf("%w: it has an empty segment; write segments as \"order:123\"", ErrInvalidTopic)
	}
	return nil
}

// CheckTarget returns nil when name can be a user id, a role or a connection
// id: valid UTF-8 of 1 to 255 bytes without control characters. What names
// the kind of target in the error, which matches ErrInvalidTarget.
func CheckTarget(what, name string) error {
	if problem := nameProblem(name); problem != "" {
		return fmt.Errorf("%w: %s: %s", ErrInvalidTarget, what, problem)
	}
	return nil
}

func nameProblem(name string) string {
	switch {
	case isPlain(name):
		return ""
	case name == "":
		return "it is empty; give 1 to 255 bytes"
	case len(name) > MaxName:
		return fmt.Sprintf("it has %d bytes; at most %d are allowed", len(name), MaxName)
	case !utf8.ValidString(name):
		return "it is not valid UTF-8"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "it contains a control character"
	}
	return ""
}

// isPlain reports whether a name is within the limits and nothing but printable
// ASCII, as nearly all are: then it has no problem.
func isPlain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return name != "" && len(name) <= MaxName
}
