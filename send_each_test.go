package realtime_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/bus/bustest"
)

func TestSendToEach(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	a, b := s.dial(t, user("u1", "admin")), s.dial(t, user("u2"))
	subscribe(t, s, b, "order:1")
	to := []realtime.Address{
		realtime.User("u1"), realtime.Role("admin"), realtime.Topic("order:1"), realtime.Connection(b.id),
		realtime.User("u3"), realtime.Everyone(), realtime.User("u1"),
	}
	receipts, err := s.SendToEach(t.Context(), to, realtime.Message{Type: "x", Payload: 1})
	if err != nil {
		t.Fatal(err)
	}
	var recipients []int
	for _, r := range receipts {
		recipients = append(recipients, r.Recipients)
	}
	if want := []int{1, 1, 1, 1, 0, 2, 1}; !slices.Equal(recipients, want) {
		t.Errorf("%v recipients, want %v", recipients, want)
	}
	for range 4 {
		if m := a.read(); m["topic"] != nil || m["timestamp"] == nil {
			t.Errorf("u1 got %v", m)
		}
	}
	for _, topic := range []any{"order:1", nil, nil} {
		if m := b.read(); m["topic"] != topic || m["payload"] != 1.0 {
			t.Errorf("u2 got %v, want the topic %v", m, topic)
		}
	}
	a.wantsNothing()
	b.wantsNothing()
	if n := metric(t, s.Service, "realtime_messages_published_total"); n != float64(len(to)) {
		t.Errorf("%v messages were published, want %d", n, len(to))
	}
	if receipts, err := s.SendToEach(t.Context(), nil, realtime.Message{Type: "x"}); err != nil || len(receipts) != 0 {
		t.Errorf("to no address: %v, %v", receipts, err)
	}
}

// TestSendToEachChecksFirst: a mistake at the end of the list stops all of it.
func TestSendToEachChecksFirst(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{Limits: realtime.Limits{MessageSize: 100}}, realtime.HandlerOptions{})
	c := s.dial(t, user("u1"))
	long := strings.Repeat("a", 255)
	for _, test := range []struct {
		last realtime.Address
		m    realtime.Message
		want error
		text string
	}{
		{realtime.Topic("a::b"), realtime.Message{Type: "x"}, realtime.ErrInvalidTopic, "to[1]: invalid topic"},
		{realtime.User(""), realtime.Message{Type: "x"}, realtime.ErrInvalidTarget, "to[1]: invalid target"},
		{realtime.Address{}, realtime.Message{Type: "x"}, realtime.ErrInvalidTarget, "to[1]: "},
		{realtime.Everyone(), realtime.Message{Type: "$x"}, realtime.ErrInvalidMessage, "reserved"},
		{realtime.Everyone(), realtime.Message{Type: "x", Payload: long}, realtime.ErrTooLarge, "the limit is 100"},
		{realtime.Topic(long), realtime.Message{Type: "x"}, realtime.ErrTooLarge, "to[1]: "},
	} {
		receipts, err := s.SendToEach(t.Context(), []realtime.Address{realtime.User("u1"), test.last}, test.m)
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) || len(receipts) != 0 {
			t.Errorf("%s: %v, %v; want %v", test.last, receipts, err, test.want)
		}
	}
	c.wantsNothing()
}

func TestSendToEachStopsWhereItFails(t *testing.T) {
	t.Parallel()
	left := 2
	failing := bustest.Intercept(bus.NewMemory(), func(context.Context, bus.Node, bus.Envelope) (bus.Receipt, error) {
		if left--; left < 0 {
			return bus.Receipt{}, bus.ErrClosed
		}
		return bus.Receipt{Recipients: 7}, nil
	})
	s := newService(t, realtime.Options{Bus: failing})
	to := []realtime.Address{realtime.User("u1"), realtime.User("u2"), realtime.User("u3"), realtime.User("u4")}
	receipts, err := s.SendToEach(t.Context(), to, realtime.Message{Type: "x"})
	if !errors.Is(err, realtime.ErrShutdown) || !strings.Contains(err.Error(), "to[2]: ") {
		t.Errorf("error %v, want %v at to[2]", err, realtime.ErrShutdown)
	}
	if len(receipts) != 2 || receipts[0].Recipients != 7 || receipts[1].Recipients != 7 {
		t.Errorf("receipts %+v, want two", receipts)
	}
}
