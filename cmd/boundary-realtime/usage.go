package main

import (
	"fmt"
	"regexp"
)

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e *usageError) Error() string {
	return plainUsage(e.err.Error()) + " (see --help)"
}

func (e *usageError) Unwrap() error { return e.err }

func wrongUsage(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// rewordings replace the texts of the command line parser by plain ones.
var rewordings = []struct {
	found *regexp.Regexp
	plain string
}{
	{regexp.MustCompile(`^expected "([^"]*)"$`), `missing: $1`},
	{regexp.MustCompile(`^(\S+): (?:expected .* value but got "EOL" \(<EOL>\)|missing value, expecting .*)$`), `$1 needs a value`},
	{regexp.MustCompile(`^(\S+): expected .*\bu?int but got (".*"?).*$`), `$1: $2 is not a whole number, or too large`},
	{regexp.MustCompile(`^(\S+): expected duration but got (".*?[^\\]"|"").*$`), `$1: $2 is not a duration; write it as 25s, 1m30s or 500ms`},
	{regexp.MustCompile(`^(\S+): expected "<key>=<value>" but got (".*")$`), `$1: $2 is not NAME=JSON`},
	{regexp.MustCompile(`^unexpected argument (.*)$`), `unexpected argument $1; there is no such command, or it has an argument too many`},
}

func plainUsage(text string) string {
	for _, r := range rewordings {
		if r.found.MatchString(text) {
			return r.found.ReplaceAllString(text, r.plain)
		}
	}
	return text
}
