package wire_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"boundary-app.org/realtime/internal/strictjson"
	"boundary-app.org/realtime/wire"
)

// A command is what reading it the slow way gives; it comes back from its encoding,
// and the reply is a strict object with the ref as it came.
func FuzzCommand(f *testing.F) {
	for _, seed := range []string{
		`{"action":"subscribe","topic":"t","ref":1}`, `{"action":"unsubscribe","topic":"$t","since":null}`, `{"action":"ping","ref":"a\"b"}`, `{"action":7}`, `{"action"`,
		`{"action":"ping","Ref":1}`, `{"action":"ping","ref":1e999999}`, `["action"]`, `{"action":"refresh","token":"t","ref":1}`, `{"action":"dance","x":1,"x":2}`,
		`{"\u0061ction":"p\u0069ng"}`, `{"action":"connect"}`, "{\"action\":\"\xff\"}", ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, ref, err := wire.ParseCommand(text)
		want, wantRef, code := commandOf(text)
		if code != "" && (err == nil || err.Code != code) || code == "" && (err != nil || c != want || !bytes.Equal(ref, wantRef)) {
			t.Fatalf("%q: %#v, %v; want %#v, %q", text, c, err, want, code)
		}
		if err == nil {
			if back, backRef, err := wire.ParseCommand(wire.EncodeCommand(c, ref)); err != nil || back != c || !bytes.Equal(backRef, ref) {
				t.Fatalf("%#v came back as %#v, %v", c, back, err)
			}
		}
		reply := wire.Reply{Ref: ref, Err: err}.Encode()
		var back struct{ Ref json.RawMessage }
		if strictjson.Check(reply) != nil || json.Unmarshal(reply, &back) != nil || len(ref) > 64 || !bytes.Equal(back.Ref, ref) {
			t.Fatalf("%q with the ref %s is answered by %q", text, ref, reply)
		}
	})
}

// commandOf reads a command the slow way, or returns the code of the refusal.
func commandOf(text []byte) (c wire.Command, ref json.RawMessage, code string) {
	var members map[string]json.RawMessage
	if !json.Valid(text) || json.Unmarshal(text, &members) != nil || members == nil {
		return nil, nil, wire.CodeMalformed
	}
	var action *string
	if raw, ok := members["action"]; ok && json.Unmarshal(raw, &action) != nil {
		return nil, nil, wire.CodeMalformed
	}
	switch {
	case action == nil || *action == "":
		return nil, nil, wire.CodeMissingAction
	case *action == "connect":
		return nil, nil, wire.CodeConnected
	case !slices.Contains([]string{"subscribe", "unsubscribe", "ping", "refresh"}, *action):
		return nil, nil, wire.CodeUnknownAction
	}
	var topic, since, token string
	into := map[string]*string{"action": action, "topic": &topic, "since": &since}
	if *action == "refresh" {
		into = map[string]*string{"action": action, "token": &token}
	}
	for name, raw := range members {
		switch to := into[name]; {
		case to != nil && isText(raw, name != "token") && json.Unmarshal(raw, to) == nil:
		case name == "ref" && isRef(raw):
			ref = raw
		default:
			return nil, nil, wire.CodeMalformed
		}
	}
	if strictjson.Check(text) != nil || *action == "refresh" && members["token"] == nil {
		return nil, nil, wire.CodeMalformed
	}
	if action := *action; action[0] != 'p' && action[0] != 'r' && wire.CheckTopic(topic) != nil {
		return nil, nil, wire.CodeInvalidTopic
	}
	return map[string]wire.Command{
		"subscribe": wire.Subscribe{Topic: topic, Since: since}, "unsubscribe": wire.Unsubscribe{Topic: topic},
		"ping": wire.Ping{}, "refresh": wire.Refresh{Token: token},
	}[*action], ref, ""
}

// isText reports whether a value is a string without an unpaired surrogate escape, or
// null where that counts as absent.
func isText(raw json.RawMessage, orNull bool) bool {
	_, err := strictjson.Unquote(raw)
	return err == nil || orNull && string(raw) == "null"
}

func isRef(raw json.RawMessage) bool {
	var number *json.Number
	isNumber := raw[0] != '"' && json.Unmarshal(raw, &number) == nil && number != nil
	return (isText(raw, false) || isNumber) && len(raw) <= 64
}

// A Connect is read from one strict object that holds the token as a string and
// nothing but what belongs there.
func FuzzConnect(f *testing.F) {
	for _, seed := range []string{
		`{"action":"connect","token":"a.b.c"}`, `{"action":"connect","token":"","ref":1}`, `{"action":"connect","token":null}`,
		`{"action":"connect","token":"a","token":"b"}`, `{"Action":"connect"}`, `{"action":"connect","ref":[]}`, "{\"token\":\"\xff\"}", `[`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, ok := wire.ParseConnect(text)
		if !ok {
			if c.Token != "" {
				t.Fatalf("%q is refused, and gives the token %q", text, c.Token)
			}
			return
		}
		var members map[string]any
		if err := json.Unmarshal(text, &members); err != nil || strictjson.Check(text) != nil {
			t.Fatalf("%q was accepted: %v", text, err)
		}
		delete(members, "ref")
		if len(members) != 2 || members["action"] != "connect" || members["token"] != c.Token {
			t.Fatalf("%q was accepted with the token %q", text, c.Token)
		}
		if back, ok := wire.ParseConnect(wire.EncodeCommand(c, nil)); !ok || back != c {
			t.Fatalf("%#v came back as %#v", c, back)
		}
	})
}
