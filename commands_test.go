package realtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"boundary-app.org/realtime"
)

// exchange is what a client sends and the reply it gets; "" is none.
type exchange struct{ send, reply string }

func (c *client) converse(exchanges []exchange) {
	c.t.Helper()
	for _, x := range exchanges {
		c.send(x.send)
		if x.reply == "" {
			c.wantsNothing()
			continue
		}
		got, err := c.link.read(c.t.Context())
		if err != nil || string(got) != x.reply {
			c.t.Errorf("%s\n got %s (%v)\nwant %s", x.send, got, err, x.reply)
		}
	}
}

// A client's commands, and every way in which they are refused; malformed ones
// never cost the connection.
func TestCommands(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		s := startOver(t, w, realtime.Options{Limits: realtime.Limits{Topics: 3}}, realtime.HandlerOptions{
			AuthorizeTopic: func(_ context.Context, c *realtime.Conn, topic string) error {
				switch {
				case topic == "panics":
					panic("oops")
				case topic == "private:"+c.UserID():
					return nil
				}
				return errors.New("a reason that stays here")
			},
		})
		c := s.dial(t, claims{"sub": "u1", "topics": []string{"news", "order:*"}})
		c.converse([]exchange{
			{`{"action":"ping"}`, `{"type":"$reply","ok":true}`},
			{`{"action":"ping","ref":"a"}`, `{"type":"$reply","ref":"a","ok":true}`},
			{`{"action":"subscribe","topic":"news","ref":1}`, `{"type":"$reply","ref":1,"ok":true,"topic":"news","recoverable":false}`},
			{`{"action":"subscribe","topic":"order:1","ref":-2.5e3}`, `{"type":"$reply","ref":-2.5e3,"ok":true,"topic":"order:1","recoverable":false}`},
			{`{"action":"subscribe","topic":"private:u1"}`, `{"type":"$reply","ok":true,"topic":"private:u1","recoverable":false}`},
			{`{"action":"subscribe","topic":"news","ref":2}`, `{"type":"$reply","ref":2,"ok":true,"topic":"news","recoverable":false}`},
			{`{"action":"subscribe","topic":"order:2","ref":3}`, refusal("3", "topic_limit", "at most 3 topics a connection; unsubscribe from one first")},
			{`{"action":"subscribe","topic":"private:u2","ref":4}`, refusal("4", "forbidden", `you may not subscribe to \"private:u2\"`)},
			{`{"action":"subscribe","topic":"panics","ref":5}`, refusal("5", "internal", "the command failed; try again")},
			{`{"action":"unsubscribe","topic":"news","ref":6}`, `{"type":"$reply","ref":6,"ok":true,"topic":"news"}`},
			{`{"action":"unsubscribe","topic":"news","ref":7}`, `{"type":"$reply","ref":7,"ok":true,"topic":"news"}`},
			{`{"action":"dance","ref":8}`, refusal("8", "unknown_action", `the action \"dance\" is not known; use subscribe, unsubscribe, refresh or ping`)},
		})
		for _, bad := range []string{
			`{"action":"subscribe","topic":""}`, `{"action":"subscribe"}`, `{"action":"subscribe","topic":"a*"}`,
			`{"action":"subscribe","topic":"` + strings.Repeat("a", 256) + `"}`, `{"action":"subscribe","topic":7}`,
			`{"action":"subscribe","topic":"news","extra":1}`, `{"action":"subscribe","topic":"a","topic":"b"}`,
			`{"action":"subscribe","Topic":"news"}`, `{"action":7}`, `{"action":`, `{"ref":1`, `{"action":"ping"} x`,
			`{"action":"ping","ref":{}}`, `{"action":"ping","ref":null}`, `{"action":"ping","ref":"` + strings.Repeat("r", 64) + `"}`,
		} {
			c.send(bad)
			if m := c.read(); m["type"] != "$reply" || m["ok"] != false || m["error"] == nil {
				t.Errorf("%s got %v, want an error", bad, m)
			}
		}
		if n := metric(t, s.Service, "realtime_command_errors_total"); n != 4+15 {
			t.Errorf("%v errors were counted", n)
		}
		c.converse([]exchange{
			{"hello", ""},
			{`{"type":"x"}`, `{"type":"$reply","ok":false,"error":{"code":"missing_action","message":"the object has no \"action\"; use subscribe, unsubscribe, refresh or ping"}}`},
			{"[]", ""},
			{"", ""},
			{"7", ""},
		})
		topics := slices.Sorted(slices.Values(s.Connection(c.id).Topics()))
		if !equal(topics, []string{"order:1", "private:u1"}) {
			t.Errorf("topics: %v", topics)
		}
		publish(t, s.Service, "order:1", "x")
		c.wants("x")
	})
}

func refusal(ref, code, message string) string {
	return fmt.Sprintf(`{"type":"$reply","ref":%s,"ok":false,"error":{"code":%q,"message":"%s"}}`, ref, code, message)
}

// Without a grant and without AuthorizeTopic, clients subscribe to nothing.
func TestSubscribingIsDeniedByDefault(t *testing.T) {
	t.Parallel()
	log := &journal{}
	s := startOver(t, overTransport, realtime.Options{Log: log.logger()}, realtime.HandlerOptions{})
	c := s.dial(t, user("u1"))
	c.converse([]exchange{{`{"action":"subscribe","topic":"t","ref":1}`, refusal("1", "forbidden", `you may not subscribe to \"t\"`)}})
	if !strings.Contains(log.String(), "a subscription was denied") || !strings.Contains(log.String(), "topics claim") {
		t.Errorf("the log lacks the cause: %s", log)
	}
	if s.SubscriptionCount() != 0 {
		t.Error("it is subscribed")
	}
}

// With an OnMessage the application gets all that is no command of ours, as it
// came; commands stay ours.
func TestApplicationMessages(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 1)
	s := start(t, realtime.Options{}, realtime.HandlerOptions{
		OnMessage: func(_ context.Context, _ *realtime.Conn, data []byte) { heard <- string(data) },
	})
	c := s.dial(t, user("u1"))
	for _, text := range []string{"hello", `{"action":"dance"}`, `{"type":"x", "n": 1.0}`, "{", "", `{"Action":"ping"}`, `["action"]`} {
		c.send(text)
		if got := eventually(t, heard, text); got != text {
			t.Errorf("heard %q, want %q", got, text)
		}
	}
	c.converse([]exchange{{`{"action":"ping","ref":1}`, `{"type":"$reply","ref":1,"ok":true}`}})
	if len(heard) != 0 {
		t.Errorf("the application heard the command %q", <-heard)
	}
}

// Binary messages and texts of the application's own protocol pass unchanged.
func TestOwnProtocol(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{
		OnMessage: func(_ context.Context, c *realtime.Conn, data []byte) {
			_ = errors.Join(c.WriteBinary(data), c.Write([]byte("text")))
		},
	})
	c := s.dial(t, user("u1")).link.(*webSocket).conn
	payload := []byte{0, 0xff, 0x80}
	if err := c.Write(t.Context(), 2, payload); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		kind int
		data string
	}{{2, string(payload)}, {1, "text"}} {
		kind, data, err := c.Read(t.Context())
		if err != nil || int(kind) != want.kind || string(data) != want.data {
			t.Errorf("read kind %d %q (%v), want %d %q", kind, data, err, want.kind, want.data)
		}
	}
}

// What cannot be sent is refused, and costs nothing.
func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	c := s.dial(t, user("u1"))
	conn := s.Connection(c.id)
	huge := make([]byte, 1<<20)
	for want, err := range map[error]error{
		realtime.ErrInvalidMessage: conn.Write([]byte("a\xff")),
		realtime.ErrTooLarge:       errors.Join(conn.Write(huge), conn.WriteBinary(huge)),
	} {
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	c.wantsNothing()
}
