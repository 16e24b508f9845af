package realtimetest_test

import (
	"context"
	"errors"
	"testing"

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
