package session_test

import (
	"bytes"
	"reflect"
	"testing"

	"boundary-app.org/realtime/internal/session"
	"boundary-app.org/realtime/internal/strictjson"
	"boundary-app.org/realtime/wire"
)

// Any text gets a step that makes sense: an answer is a strict frame, a topic is
// valid, and the application gets every text but those that are commands.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"action":"subscribe","topic":"t"}`, `{"action":"ping"}`, `{"action":"refresh","token":"t"}`, `{"action":7}`, `{"a`, `x`, ``, ` {}`,
		`{"\u0061ction":"ping"}`, `{"\u0061\u0063\u0074\u0069\u006F\u006e":"p\u0069ng"}`, `{"x":"\u0061"}`, `{"\u0061ction":"dance"}`, "\ufeff{\"action\":\"ping\"}",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, text []byte, application bool) {
		step := session.Read(text, application)
		if reply := step.Reply.Encode(); strictjson.Check(reply) != nil || step.Kind != session.Answer && !reflect.DeepEqual(step.Reply, wire.Reply{}) {
			t.Fatalf("%q: kind %d, reply %q", text, step.Kind, reply)
		}
		c, ref, err := wire.ParseCommand(text)
		switch step.Kind {
		case session.Execute:
			if err != nil || !reflect.DeepEqual(step.Command, c) || !bytes.Equal(step.Ref, ref) {
				t.Fatalf("%q: %#v, want %#v, %v", text, step.Command, c, err)
			}
			if s, ok := c.(wire.Subscribe); ok && wire.CheckTopic(s.Topic) != nil {
				t.Fatalf("%q: topic %q", text, s.Topic)
			}
		case session.Application:
			if !application || err == nil {
				t.Fatalf("%q goes to the application", text)
			}
		case session.Ignore:
			if application || err == nil {
				t.Fatalf("%q is ignored", text)
			}
		}
	})
}
