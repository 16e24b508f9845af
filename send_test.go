package realtime_test

import (
	"context"
	"fmt"
	"testing"

	"boundary-app.org/realtime"
)

func TestEveryAddressReachesItsConnections(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{
		OnOpen: func(_ context.Context, c *realtime.Conn) error { return c.Subscribe("order:1") },
	})
	a := s.dial(t, map[string]any{"sub": "u1", "roles": []string{"admin"}})
	b := s.dial(t, map[string]any{"sub": "u1"})
	c := s.dial(t, map[string]any{"sub": "u2", "role": "admin"})
	for _, send := range []struct {
		to   realtime.Address
		want []*client
	}{
		{realtime.User("u1"), []*client{a, b}},
		{realtime.User("u2"), []*client{c}},
		{realtime.User("nobody"), nil},
		{realtime.Role("admin"), []*client{a, c}},
		{realtime.Role("none"), nil},
		{realtime.Connection(b.id), []*client{b}},
		{realtime.Connection("AAAAAAAAAAAAAAAAAAAAAA"), nil},
		{realtime.Topic("order:1"), []*client{a, b, c}},
		{realtime.Topic("order:2"), nil},
		{realtime.Everyone(), []*client{a, b, c}},
	} {
		receipt, err := s.Send(t.Context(), send.to, realtime.Message{Type: send.to.String(), Payload: 1})
		if err != nil {
			t.Fatalf("send to %s: %v", send.to, err)
		}
		if receipt.Recipients != len(send.want) {
			t.Errorf("send to %s: %d recipients, want %d", send.to, receipt.Recipients, len(send.want))
		}
		for _, client := range send.want {
			if m := client.read(); m["type"] != send.to.String() {
				t.Errorf("after a send to %s a client read %v", send.to, m)
			}
		}
	}
}

func TestMessagesArriveInOrder(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	c := s.dial(t, map[string]any{"sub": "u1", "role": "r"})
	to := []realtime.Address{realtime.User("u1"), realtime.Role("r"), realtime.Everyone(), realtime.Connection(c.id)}
	const messages = 2000
	go func() {
		for i := range messages {
			if _, err := s.Send(context.Background(), to[i%len(to)], realtime.Message{Type: fmt.Sprint(i)}); err != nil {
				t.Errorf("send: %v", err)
			}
		}
	}()
	for i := range messages {
		if m := c.read(); m["type"] != fmt.Sprint(i) {
			t.Fatalf("message %d arrived as number %d", i, i)
		}
	}
}
