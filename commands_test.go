package realtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
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

// refreshed sends a newer token and returns the reply.
func (c *client) refreshed(t *testing.T, token string) map[string]any {
	t.Helper()
	c.send(fmt.Sprintf(`{"action":"refresh","token":%q,"ref":"refresh"}`, token))
	reply := c.read()
	if reply["type"] != "$reply" || reply["ref"] != "refresh" {
		t.Fatalf("read %v, want the reply", reply)
	}
	return reply
}

// A connection outlives its token with a newer one, as long as that lives.
func TestRefreshMovesTheExpiry(t *testing.T) {
	opts := realtime.Options{PingInterval: -1}
	inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, _ *realtime.Service, dial func(claims, ...string) *raw) {
		start := time.Now()
		until := func(d time.Duration) claims { return claims{"sub": "u1", "exp": start.Add(d).Unix()} }
		c := dial(until(time.Minute))
		time.Sleep(70 * time.Second) // in the grace
		c.send(1, `{"action":"refresh","token":"`+token(t, until(5*time.Minute))+`"}`)
		c.wants("$reply")
		c.wantsClose(4005)
		wantsAfter(t, start, 5*time.Minute+25*time.Second, 5*time.Minute+25*time.Second)
	})
}

// Roles and rights are those of the newer token: what the client subscribed
// itself to is judged anew, what others did for it stays.
func TestRefreshChangesRights(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		s := startOver(t, w, realtime.Options{}, realtime.HandlerOptions{
			OnOpen: func(_ context.Context, c *realtime.Conn) error { return c.Subscribe("given") },
			AuthorizeTopic: func(_ context.Context, c *realtime.Conn, topic string) error {
				if topic == "ask:"+strings.Join(c.Roles(), ",") {
					return nil
				}
				return errors.New("no")
			},
		})
		exp := time.Now().Add(time.Hour).Unix()
		c := s.dial(t, claims{"sub": "u1", "exp": exp, "roles": []string{"admin", "user"}, "topics": []string{"a:*", "given"}})
		for _, topic := range []string{"a:1", "a:2", "given", "ask:admin,user"} {
			c.send(`{"action":"subscribe","topic":"` + topic + `"}`)
			if reply := c.read(); reply["ok"] != true {
				t.Fatal(reply)
			}
		}
		reply := c.refreshed(t, token(t, claims{"sub": "u1", "exp": exp + 60, "roles": []string{"user", "new"}, "topics": []string{"a:2"}}))
		if want := "map[expiresAt:" + time.Unix(exp+60, 0).UTC().Format("2006-01-02T15:04:05.000Z") +
			" ok:true ref:refresh type:$reply unsubscribed:[a:1 ask:admin,user]]"; fmt.Sprint(reply) != want {
			t.Errorf("the reply is %v, want %s", reply, want)
		}
		conn := s.Connection(c.id)
		topics := conn.Topics()
		slices.Sort(topics)
		if fmt.Sprint(topics, conn.Roles()) != "[a:2 given] [user new]" {
			t.Errorf("topics %v, roles %v", topics, conn.Roles())
		}
		for role, want := range map[string]int{"admin": 0, "user": 1, "new": 1} {
			if r, err := s.SendToRole(t.Context(), role, realtime.Message{Type: role}); err != nil || r.Recipients != want {
				t.Errorf("role %s: %d recipients (%v), want %d", role, r.Recipients, err, want)
			} else if want == 1 {
				c.wants(role)
			}
		}
		if got := s.SubscriptionCount(); got != 2 {
			t.Errorf("%d subscriptions, want 2", got)
		}
		if err := s.ConsistencyCheck(); err != nil {
			t.Error(err)
		}
	})
}

// A token that is refused changes nothing, and the client is told why.
func TestRefusedRefresh(t *testing.T) {
	t.Parallel()
	exp := time.Now().Add(time.Hour).Unix()
	var down atomic.Bool
	verifier, err := auth.New(auth.Options{HMACSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = verifier.Close() })
	s := start(t, realtime.Options{Verifier: auth.VerifierFunc(func(ctx context.Context, token string) (*realtime.Identity, error) {
		if down.Load() {
			return nil, auth.ErrUnavailable
		}
		return verifier.Verify(ctx, token)
	})}, realtime.HandlerOptions{Require: auth.Requirements{Roles: []string{"user"}}})
	c := s.dial(t, claims{"sub": "u1", "exp": exp, "roles": []string{"user"}})
	before := s.Connection(c.id).Identity()
	if _, err := s.Revoke(t.Context(), realtime.Revocation{TokenID: "revoked"}); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ token, code, message string }{
		"another user": {token(t, claims{"sub": "u2", "exp": exp, "roles": []string{"user"}}), "forbidden", "the token is another user's; make another connection for it"},
		"expired":      {token(t, claims{"sub": "u1", "exp": exp - 7200, "roles": []string{"user"}}), "unauthorized", "unauthorized: expired"},
		"rubbish":      {"a.b.c", "unauthorized", "unauthorized: malformed"},
		"no right":     {token(t, claims{"sub": "u1", "exp": exp}), "forbidden", "Missing required role"},
		"revoked":      {token(t, claims{"sub": "u1", "exp": exp, "roles": []string{"user"}, "jti": "revoked"}), "unauthorized", "unauthorized: revoked"},
	} {
		reply := c.refreshed(t, test.token)
		if want := map[string]any{"code": test.code, "message": test.message}; fmt.Sprint(reply["error"]) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, reply["error"], want)
		}
	}
	down.Store(true)
	if reply := c.refreshed(t, "x"); !strings.Contains(fmt.Sprint(reply["error"]), "code:unavailable") {
		t.Errorf("unavailable: %v", reply)
	}
	if after := s.Connection(c.id).Identity(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the identity is %v, want %v", after, before)
	}
}

// A token that is revoked while it is verified is refused.
func TestRevokedWhileRefreshing(t *testing.T) {
	t.Parallel()
	var svc *realtime.Service
	first := true
	verify := func(context.Context, string) (*realtime.Identity, error) {
		if !first {
			if _, err := svc.Revoke(context.Background(), realtime.Revocation{TokenID: "second"}); err != nil {
				t.Error(err)
			}
			return &realtime.Identity{UserID: "u1", TokenID: "second"}, nil
		}
		first = false
		return &realtime.Identity{UserID: "u1", TokenID: "first"}, nil
	}
	s := start(t, realtime.Options{Verifier: auth.VerifierFunc(verify)}, realtime.HandlerOptions{})
	svc = s.Service
	c := s.dial(t, user("u1"))
	c.send(`{"action":"refresh","token":"x"}`)
	reply := c.read()
	if fmt.Sprint(reply["error"]) != "map[code:unauthorized message:unauthorized: revoked]" {
		t.Errorf("the reply is %v", reply)
	}
}
