package wire_test

import (
	"testing"

	"boundary-app.org/realtime/wire"
)

func TestMatchTopic(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, topic string
		want           bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a", "a:1", false},
		{"a:*", "a:1", true},
		{"a:*", "a:", true},
		{"a:*", "a", false},
		{"a*", "ab", true},
		{"*", "anything", true},
		{"", "a", false},
	} {
		if got := wire.MatchTopic(test.pattern, test.topic); got != test.want {
			t.Errorf("MatchTopic(%q, %q) is %v", test.pattern, test.topic, got)
		}
	}
}
