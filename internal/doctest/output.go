//go:build unix

package doctest

import (
	"regexp"
	"strings"
)

// missingLine returns the first of the wanted lines that the printed ones do not
// have behind those before it; "" when all are there. In a wanted line … stands
// for any text.
func missingLine(want string, printed []string) string {
	for _, line := range strings.Split(strings.TrimRight(want, "\n"), "\n") {
		pattern := linePattern(line)
		found := -1
		for i, candidate := range printed {
			if pattern.MatchString(strings.TrimRight(candidate, " \r")) {
				found = i
				break
			}
		}
		if found < 0 {
			return line
		}
		printed = printed[found+1:]
	}
	return ""
}

func linePattern(line string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(strings.TrimRight(line, " "))
	return regexp.MustCompile("^" + strings.ReplaceAll(quoted, "…", ".*") + "$")
}
