package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/session"
	"boundary-app.org/realtime/wire"
)

// result is what follows from a client's text, see testdata/protocol/commands.json.
type result struct {
	Result string          `json:"result"`
	Code   string          `json:"code"`
	Topic  string          `json:"topic"`
	Since  string          `json:"since"`
	Token  string          `json:"token"`
	Ref    json.RawMessage `json:"ref"`
}

func resultOf(step session.Step) (r result) {
	switch step.Kind {
	case session.Ignore:
		return result{Result: "ignored"}
	case session.Application:
		return result{Result: "application"}
	case session.Answer:
		if step.Reply.Err != nil {
			return result{Result: "error", Code: step.Reply.Err.Code, Ref: step.Reply.Ref}
		}
		return result{Result: "ok", Ref: step.Reply.Ref}
	}
	switch c := step.Command.(type) {
	case wire.Subscribe:
		r = result{Result: "subscribe", Topic: c.Topic, Since: c.Since}
	case wire.Unsubscribe:
		r = result{Result: "unsubscribe", Topic: c.Topic}
	case wire.Refresh:
		r = result{Result: "refresh", Token: c.Token}
	}
	r.Ref = step.Ref
	return r
}

func TestCommandVectors(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../testdata/protocol/commands.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Send        string `json:"send"`
			Binary      bool   `json:"binary"`
			Application bool   `json:"application"`
			result
		} `json:"vectors"`
	}
	if err := json.Unmarshal(data, &file); err != nil || len(file.Vectors) < 100 {
		t.Fatal(len(file.Vectors), err)
	}
	for _, v := range file.Vectors {
		read := session.Read
		if v.Binary {
			read = session.ReadBinary
		}
		got := resultOf(read([]byte(v.Send), v.Application))
		if fmt.Sprintf("%+q", got) != fmt.Sprintf("%+q", v.result) {
			t.Errorf("%s\n got %+q\nwant %+q", v.Send, got, v.result)
		}
	}
}

// A client learns what is meant for it of an error, and no more.
func TestReplies(t *testing.T) {
	t.Parallel()
	full := fmt.Errorf("subscribe: %w", &wire.CommandError{Code: wire.CodeTopicLimit, Message: "at most 3 topics"})
	expires := time.Unix(1_800_000_000, 0)
	for name, c := range map[string]struct {
		reply wire.Reply
		want  string
	}{
		"subscribed":     {session.Subscribed(wire.Subscribe{Topic: "t"}, nil), `{"type":"$reply","ok":true,"topic":"t","recoverable":false}`},
		"not subscribed": {session.Subscribed(wire.Subscribe{Topic: "t"}, full), `{"type":"$reply","ok":false,"error":{"code":"topic_limit","message":"at most 3 topics"}}`},
		"refreshed": {
			session.Refreshed(expires, []string{"order:1"}, nil),
			`{"type":"$reply","ok":true,"expiresAt":"2027-01-15T08:00:00.000Z","unsubscribed":["order:1"]}`,
		},
		"not refreshed": {session.Refreshed(expires, []string{"order:1"}, full), `{"type":"$reply","ok":false,"error":{"code":"topic_limit","message":"at most 3 topics"}}`},
		"failed":        {session.Failed(errors.New("secret of the server")), `{"type":"$reply","ok":false,"error":{"code":"internal","message":"the command failed; try again"}}`},
	} {
		if got := string(c.reply.Encode()); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
