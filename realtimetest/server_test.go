package realtimetest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/realtimetest"
)

func TestServerSpeaksToItsClients(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 1)
	s := realtimetest.NewServer(t, realtime.Options{}, realtime.HandlerOptions{
		OnMessage: func(_ context.Context, c *realtime.Conn, data []byte) { heard <- c.UserID() + " " + string(data) },
	})
	a, b := s.Dial(t, realtime.Identity{UserID: "a"}), s.Dial(t, realtime.Identity{UserID: "b", Roles: []string{"admin"}})
	if receipt, err := s.SendToRole(t.Context(), "admin", realtime.Message{Type: "x"}); err != nil || receipt.Recipients != 1 {
		t.Fatalf("send: %+v, %v", receipt, err)
	}
	if _, err := s.SendToConnection(t.Context(), a.ID, realtime.Message{Type: "y"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		client *realtimetest.Client
		want   string
	}{{a, "y"}, {b, "x"}} {
		if messages, err := c.client.Wait(t.Context(), 1); err != nil || messages[0].Type != c.want {
			t.Errorf("a client heard %v (%v), want %s", messages, err, c.want)
		}
	}
	if err := a.Send([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "a hello" {
		t.Errorf("the application heard %q", got)
	}
}

func TestClientLearnsHowItWasClosed(t *testing.T) {
	t.Parallel()
	s := realtimetest.NewServer(t, realtime.Options{}, realtime.HandlerOptions{})
	kicked, leaves := s.Dial(t, realtime.Identity{UserID: "a"}), s.Dial(t, realtime.Identity{UserID: "b"})
	if _, err := s.Disconnect(t.Context(), realtime.User("a"), 4507, "out"); err != nil {
		t.Fatal(err)
	}
	if code, reason, err := kicked.WaitClosed(t.Context()); code != 4507 || reason != "out" || err != nil {
		t.Errorf("closed with %d %q (%v), want 4507 \"out\"", code, reason, err)
	}
	if err := leaves.Close(3000, "bye"); err != nil {
		t.Fatal(err)
	}
	if code, _, err := leaves.WaitClosed(t.Context()); code != 3000 || err != nil {
		t.Errorf("the server answered with %d (%v), want 3000", code, err)
	}
}

func TestConnectNeedsNoSocket(t *testing.T) {
	t.Parallel()
	s := realtimetest.NewServer(t, realtime.Options{}, realtime.HandlerOptions{})
	c, client := s.Connect(t, realtime.Identity{UserID: "a"}, realtime.HandlerOptions{})
	if err := c.Subscribe("order:1"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.PublishToTopic(t.Context(), "order:1", realtime.Message{Type: "x", Payload: 7}); err != nil {
		t.Fatal(err)
	}
	messages, err := client.Wait(t.Context(), 1)
	if err != nil || messages[0].Topic != "order:1" || string(messages[0].Payload) != "7" {
		t.Errorf("it heard %v (%v)", messages, err)
	}
	if got := client.Frames()[0].Type; got != "$connected" {
		t.Errorf("the first frame is %s, want $connected", got)
	}
}

func TestVerifierAcceptsOneToken(t *testing.T) {
	t.Parallel()
	v := realtimetest.Verifier("good", realtime.Identity{UserID: "u1"})
	if id, err := v.Verify(t.Context(), "good"); err != nil || id.UserID != "u1" {
		t.Errorf("good: %v, %v", id, err)
	}
	for _, token := range []string{"", "bad", "good ", "GOOD"} {
		if id, err := v.Verify(t.Context(), token); !errors.Is(err, realtime.ErrUnauthorized) || id != nil {
			t.Errorf("%q: %v, %v; want ErrUnauthorized", token, id, err)
		}
	}
	a, _ := v.Verify(t.Context(), "good")
	a.UserID = "changed"
	if b, _ := v.Verify(t.Context(), "good"); b.UserID != "u1" {
		t.Error("one connection's identity is another's")
	}
}

func TestServerTakesTheCallersVerifier(t *testing.T) {
	t.Parallel()
	s := realtimetest.NewServer(t, realtime.Options{
		Verifier: realtimetest.Verifier("mine", realtime.Identity{UserID: "u1"}),
	}, realtime.HandlerOptions{})
	s.DialToken(t, "mine")
	if got := s.ConnectionCount(); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}
}

// A client of the subprotocol sees what a browser does: $ping, $closing, and the
// codes of its own.
func TestClientOfTheSubprotocol(t *testing.T) {
	t.Parallel()
	s := realtimetest.NewServer(t, realtime.Options{PingInterval: time.Millisecond}, realtime.HandlerOptions{})
	c := s.Dial(t, realtime.Identity{UserID: "a"}, realtimetest.Subprotocol())
	frames, err := c.WaitFrames(t.Context(), 2)
	if err != nil || frames[0].Type != "$connected" || frames[1].Type != "$ping" {
		t.Errorf("it heard %v (%v), want $connected and $ping", frames, err)
	}
	if _, _, ok := c.Closing(); ok {
		t.Error("the server is closing")
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, _, err := c.WaitClosed(t.Context()); code != 4001 || err != nil {
		t.Errorf("closed with %d (%v), want 4001", code, err)
	}
	if reason, after, ok := c.Closing(); reason != "drain" || after <= 0 || !ok {
		t.Errorf("$closing said %q, %v, %v", reason, after, ok)
	}
}

// How clients are refused is what a test can look at.
func TestDialRefused(t *testing.T) {
	t.Parallel()
	s := realtimetest.NewServer(t, realtime.Options{Limits: realtime.Limits{ConnectionsPerUser: 1, RejectNewest: true}}, realtime.HandlerOptions{
		OnOpen: func(_ context.Context, c *realtime.Conn) error {
			if c.UserID() == "unwanted" {
				return realtime.Refuse(4403, "no")
			}
			return nil
		},
	})
	s.Dial(t, realtime.Identity{UserID: "once"})
	subprotocol := realtimetest.Subprotocol()
	for name, c := range map[string]struct {
		token string
		opts  []realtimetest.DialOption
		want  realtimetest.Refusal
		retry bool
	}{
		"bad token":          {"x", nil, realtimetest.Refusal{Status: 401, Reason: "unauthorized: signature"}, false},
		"bad token, code":    {"x", []realtimetest.DialOption{subprotocol}, realtimetest.Refusal{Status: 101, Code: 4500, Reason: "unauthorized: signature"}, false},
		"limit":              {s.Token(realtime.Identity{UserID: "once"}), nil, realtimetest.Refusal{Status: 429, Reason: "too many connections of this user; close one first"}, true},
		"limit, code":        {s.Token(realtime.Identity{UserID: "once"}), []realtimetest.DialOption{subprotocol}, realtimetest.Refusal{Status: 101, Code: 4504, Reason: "too many connections of this user; close one first"}, true},
		"OnOpen":             {s.Token(realtime.Identity{UserID: "unwanted"}), nil, realtimetest.Refusal{Status: 101, Code: 4403, Reason: "no"}, false},
		"OnOpen, code":       {s.Token(realtime.Identity{UserID: "unwanted"}), []realtimetest.DialOption{subprotocol}, realtimetest.Refusal{Status: 101, Code: 4403, Reason: "no"}, false},
		"origin, not a code": {"x", []realtimetest.DialOption{subprotocol, realtimetest.Header("Origin", "https://evil.example")}, realtimetest.Refusal{Status: 403, Reason: "this origin may not connect"}, false},
	} {
		refused := s.DialRefused(t, c.token, c.opts...)
		if (refused.RetryAfter > 0) != c.retry {
			t.Errorf("%s: it may come back after %v", name, refused.RetryAfter)
		}
		if refused.RetryAfter = 0; refused != c.want {
			t.Errorf("%s: %v, want %v", name, refused, c.want)
		}
	}
}

func TestClientSendsBinary(t *testing.T) {
	t.Parallel()
	heard := make(chan []byte, 1)
	s := realtimetest.NewServer(t, realtime.Options{}, realtime.HandlerOptions{
		OnBinary: func(_ context.Context, _ *realtime.Conn, data []byte) { heard <- data },
	})
	if err := s.Dial(t, realtime.Identity{UserID: "a"}).SendBinary([]byte{0xff}); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; string(got) != "\xff" {
		t.Errorf("the application heard %q", got)
	}
}
