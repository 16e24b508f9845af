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
