package config

import (
	"reflect"
	"strconv"
	"strings"
)

// Diff returns the settings in which two configurations differ, in the order of the
// table, such as "message_rate: 1000 -> 500". For secrets, and for values that differ
// only in a redacted part, it is "changed".
func Diff(old, next *Config) (changes []string) {
	for _, s := range settings {
		before, after := s.field(old), s.field(next)
		if reflect.DeepEqual(before, after) { // follows the pointers
			continue
		}
		if before.String() == after.String() || s.secret() {
			changes = append(changes, s.name+": changed")
			continue
		}
		changes = append(changes, s.name+": "+spelled(before)+" -> "+spelled(after))
	}
	return changes
}

func spelled(v value) string {
	text := v.String()
	if text == "" || strings.ContainsAny(text, " \t\r\n\"") {
		return strconv.Quote(text)
	}
	return text
}
