package session_test

import (
	"bytes"
	"reflect"
	"testing"

	"boundary-app.org/realtime/internal/session"
	"boundary-app.org/realtime/wire"
)

// Any text gets a step that makes sense: a reply where one is sent, a topic
// where one is subscribed; the application sees none of our commands.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{`{"action":"subscribe","topic":"t"}`, `{"action":"ping"}`, `{"action":"refresh","token":"t"}`, `{"action":7}`, `{"a`, `x`, ``, ` {}`} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, application bool) {
		step := session.Read(text, application)
		if reply := step.Reply.Encode(); wire.CheckStrict(reply) != nil || step.Kind != session.Answer && !reflect.DeepEqual(step.Reply, wire.Reply{}) {
			t.Fatalf("%q: kind %d, reply %q", text, step.Kind, reply)
		}
		switch step.Kind {
		case session.Subscribe, session.Unsubscribe:
			if wire.CheckTopic(step.Command.Topic) != nil {
				t.Fatalf("%q: topic %q", text, step.Command.Topic)
			}
		case session.Refresh:
			if c, err := wire.ParseCommand(text); err != nil || c.Token != step.Command.Token {
				t.Fatalf("%q: token %q", text, step.Command.Token)
			}
		case session.Application:
			if _, err := wire.ParseCommand(text); !application || err == nil && bytes.Contains(text, []byte(`"action"`)) {
				t.Fatalf("%q goes to the application", text)
			}
		case session.Ignore:
			if application {
				t.Fatalf("%q is ignored", text)
			}
		}
	})
}
