package realtime_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/bus/bustest"
	"boundary-app.org/realtime/realtimetest"
)

var errBroker = errors.New("the broker is down")

// closedBus cannot be joined.
type closedBus struct{}

func (closedBus) Join(context.Context, bus.NodeID, bus.Local) (bus.Node, error) {
	return nil, errBroker
}

func TestBusCannotBeJoined(t *testing.T) {
	t.Parallel()
	svc, err := realtime.New(realtime.Options{Bus: closedBus{}, Log: discard()})
	if svc != nil || !errors.Is(err, errBroker) || !strings.HasPrefix(err.Error(), "realtime: join the bus: ") {
		t.Errorf("%v, %v", svc, err)
	}
}

// D11: an error of the bus is the sender's to see, and counted.
func TestBusErrorsAreVisible(t *testing.T) {
	t.Parallel()
	broken := bustest.Intercept(bus.NewMemory(), func(context.Context, bus.Node, bus.Envelope) (bus.Receipt, error) {
		return bus.Receipt{}, errBroker
	})
	svc := newService(t, realtime.Options{Bus: broken})
	ctx, everyone := t.Context(), realtime.Everyone()
	_, err1 := svc.Broadcast(ctx, realtime.Message{Type: "x"})
	_, err2 := svc.Subscribe(ctx, everyone, "t")
	_, err3 := svc.Unsubscribe(ctx, everyone, "t")
	_, err4 := svc.UnsubscribeAll(ctx, everyone)
	_, err5 := svc.Disconnect(ctx, everyone, 0, "")
	for i, err := range []error{err1, err2, err3, err4, err5} {
		if !errors.Is(err, errBroker) || !strings.HasPrefix(err.Error(), "realtime: ") {
			t.Errorf("operation %d: %v, want errBroker", i+1, err)
		}
	}
	if n := metric(t, svc, "realtime_publish_failures_total"); n != 1 {
		t.Errorf("%v failures are counted, want 1", n)
	}
}

// A node of another version may send what this one does not know.
func TestUnknownEnvelopes(t *testing.T) {
	t.Parallel()
	shared, log := bus.NewMemory(), &journal{}
	svc := newService(t, realtime.Options{Bus: shared, Log: log.logger()})
	other := joinBus(t, shared)
	id := realtime.Identity{UserID: "u1"}
	if _, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: &id}); err != nil {
		t.Fatal(err)
	}
	for _, e := range []bus.Envelope{
		{To: bus.Address{Route: bus.Everyone}, Op: 99},
		{To: bus.Address{Route: 99}, Op: bus.Send, Body: []byte(`{}`)},
		{To: bus.Address{Route: 99}, Op: bus.Disconnect},
	} {
		if receipt, err := other.Publish(t.Context(), e); err != nil || receipt.Recipients != 0 {
			t.Errorf("%+v: %+v, %v", e, receipt, err)
		}
	}
	if !strings.Contains(log.String(), "are all nodes of the same version?") {
		t.Errorf("the log says %q", log)
	}
	if svc.ConnectionCount() != 1 {
		t.Error("the connection is gone")
	}
}

// A send whose context is done reaches nobody.
func TestSendWithDoneContext(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	heard, _ := listen(t, svc, "t")
	if _, err := svc.PublishToTopic(doneContext(), "t", realtime.Message{Type: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	if publish(t, svc, "t", "y"); (<-heard).Type != "y" {
		t.Error("the first message arrived")
	}
}

// Conn.Send keeps the rules of Send.
func TestConnSend(t *testing.T) {
	t.Parallel()
	s := startOver(t, overTransport, realtime.Options{Limits: realtime.Limits{MessageSize: 100}}, realtime.HandlerOptions{})
	c := s.dial(t, user("u1"))
	conn := s.Connection(c.id)
	if err := conn.Send(realtime.Message{}); !errors.Is(err, realtime.ErrInvalidMessage) {
		t.Errorf("no type: %v", err)
	}
	if err := conn.Send(realtime.Message{Type: "x", Payload: strings.Repeat("x", 100)}); !errors.Is(err, realtime.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	if err := conn.Send(realtime.Message{Type: "x"}); err != nil {
		t.Error(err)
	}
	c.wants("x")
	c.wantsNothing()
}

func TestDefaultLimits(t *testing.T) {
	t.Parallel()
	want := realtime.Limits{MessageSize: 64 << 10, Backlog: 1 << 20, Topics: 128, MessageRate: 1000, MessageBurst: 2000}
	if got := newService(t, realtime.Options{}).Limits(); got != want {
		t.Errorf("limits = %+v, want %+v", got, want)
	}
}
