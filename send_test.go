package realtime_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/bus/bustest"
	"boundary-app.org/realtime/realtimetest"
)

// R8: every kind of address reaches its connections, and the count is true.
func TestEveryAddressReachesItsConnections(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		s := startOver(t, w, realtime.Options{}, realtime.HandlerOptions{
			OnOpen: func(_ context.Context, c *realtime.Conn) error { return c.Subscribe("order:1") },
		})
		a, b := s.dial(t, user("u1", "admin")), s.dial(t, user("u1"))
		c := s.dial(t, claims{"sub": "u2", "role": "admin"})
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
			{realtime.Connection("no id at all"), nil},
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
				client.wants(send.to.String())
			}
		}
		for _, client := range []*client{a, b, c} {
			client.wantsNothing()
		}
	})
}

// R8: the verbs are the addresses by another name.
func TestSendVerbs(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	c := s.dial(t, user("u1", "admin"))
	subscribe(t, s, c, "order:1")
	ctx, m := t.Context(), realtime.Message{Type: "x"}
	for name, send := range map[string]func() (realtime.Receipt, error){
		"user":       func() (realtime.Receipt, error) { return s.SendToUser(ctx, "u1", m) },
		"role":       func() (realtime.Receipt, error) { return s.SendToRole(ctx, "admin", m) },
		"connection": func() (realtime.Receipt, error) { return s.SendToConnection(ctx, c.id, m) },
		"everyone":   func() (realtime.Receipt, error) { return s.Broadcast(ctx, m) },
		"topic":      func() (realtime.Receipt, error) { return s.PublishToTopic(ctx, "order:1", m) },
	} {
		if receipt, err := send(); err != nil || receipt.Recipients != 1 {
			t.Errorf("%s: %+v, %v; want one recipient", name, receipt, err)
		}
		c.wants("x")
	}
}

// R9: a message is a map; the timestamp is added where absent and kept where
// present; fields travel as they are.
func TestMessagesTravelAsTheyAre(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	c := s.dial(t, user("u1"))
	ready, err := realtime.ParseMessage([]byte(`{"type":"ready", "n":1.50, "timestamp":"yesterday"}`))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	for _, m := range []struct {
		sent realtime.Message
		want string
	}{
		{realtime.Message{Type: "a", Timestamp: at}, `{"type":"a","timestamp":"2026-01-02T03:04:05.678Z"}`},
		{
			realtime.Message{Type: "a", Payload: map[string]int{"n": 1}, Timestamp: at, Fields: map[string]any{"content": "ü"}},
			`{"type":"a","payload":{"n":1},"content":"ü","timestamp":"2026-01-02T03:04:05.678Z"}`,
		},
		{realtime.Message{Type: "a", Payload: json.RawMessage(`[1,  2]`), Timestamp: at}, `{"type":"a","payload":[1,  2],"timestamp":"2026-01-02T03:04:05.678Z"}`},
		{ready, `{"type":"ready", "n":1.50, "timestamp":"yesterday"}`},
	} {
		if _, err := s.Broadcast(t.Context(), m.sent); err != nil {
			t.Fatal(err)
		}
		got, err := c.link.read(t.Context())
		if err != nil || string(got) != m.want {
			t.Errorf("a client read %s (%v), want %s", got, err, m.want)
		}
	}
	before := time.Now().Truncate(time.Millisecond)
	if _, err := s.Broadcast(t.Context(), realtime.Message{Type: "now"}); err != nil {
		t.Fatal(err)
	}
	stamp, err := time.Parse(time.RFC3339, c.read()["timestamp"].(string))
	if err != nil || stamp.Before(before) || stamp.After(time.Now()) {
		t.Errorf("timestamp %v (%v), want the time of sending", stamp, err)
	}
}

// What cannot be sent is refused with an error that can be told apart, and
// reaches nobody.
func TestInvalidSends(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{Limits: realtime.Limits{MessageSize: 100}}, realtime.HandlerOptions{})
	c := s.dial(t, user("u1"))
	good := realtime.Message{Type: "x"}
	for name, send := range map[string]struct {
		to   realtime.Address
		m    realtime.Message
		want error
	}{
		"no type":            {realtime.Everyone(), realtime.Message{}, realtime.ErrInvalidMessage},
		"our type":           {realtime.Everyone(), realtime.Message{Type: "$reply"}, realtime.ErrInvalidMessage},
		"reserved field":     {realtime.Everyone(), realtime.Message{Type: "x", Fields: map[string]any{"id": 1}}, realtime.ErrInvalidMessage},
		"not JSON":           {realtime.Everyone(), realtime.Message{Type: "x", Payload: math.Inf(1)}, realtime.ErrInvalidMessage},
		"too large":          {realtime.Everyone(), realtime.Message{Type: "x", Payload: strings.Repeat("a", 100)}, realtime.ErrTooLarge},
		"no user":            {realtime.User(""), good, realtime.ErrInvalidTarget},
		"user with a NUL":    {realtime.User("a\x00"), good, realtime.ErrInvalidTarget},
		"role of 256 octets": {realtime.Role(strings.Repeat("r", 256)), good, realtime.ErrInvalidTarget},
		"no topic":           {realtime.Topic(""), good, realtime.ErrInvalidTopic},
		"wildcard topic":     {realtime.Topic("order:*"), good, realtime.ErrInvalidTopic},
		"the zero address":   {realtime.Address{}, good, realtime.ErrInvalidTarget},
	} {
		receipt, err := s.Send(t.Context(), send.to, send.m)
		if !errors.Is(err, send.want) || receipt.Recipients != 0 {
			t.Errorf("%s: %+v, %v; want %v", name, receipt, err, send.want)
		}
	}
	if !errors.Is(realtime.ErrTooLarge, realtime.ErrInvalidMessage) {
		t.Error("ErrTooLarge does not match ErrInvalidMessage")
	}
	c.wantsNothing()
}

// R10, D12: a closed connection is neither sent to nor counted.
func TestClosedConnectionsAreNotCounted(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		s := startOver(t, w, realtime.Options{}, realtime.HandlerOptions{})
		a, b := s.dial(t, user("u1")), s.dial(t, user("u1"))
		if _, err := s.Disconnect(t.Context(), realtime.Connection(a.id), 0, ""); err != nil {
			t.Fatal(err)
		}
		receipt, err := s.SendToUser(t.Context(), "u1", realtime.Message{Type: "x"})
		if err != nil || receipt.Recipients != 1 {
			t.Errorf("%+v, %v; want one recipient", receipt, err)
		}
		b.wants("x")
		a.wantsClose(4503)
	})
}

// faulty is a transport whose Send fails.
type faulty struct{}

func (f *faulty) Send([]byte) error          { return errors.New("the wire is cut") }
func (f *faulty) Close(uint16, string) error { return nil }

// R10: one faulty socket never stops the fan-out to the others, and ends.
func TestFaultySocketHarmsNobodyElse(t *testing.T) {
	t.Parallel()
	s := startOver(t, overTransport, realtime.Options{Shards: 1}, realtime.HandlerOptions{})
	a := s.dial(t, user("u1"))
	closed := make(chan realtime.CloseCode, 1)
	_, err := s.Connect(t.Context(), &faulty{}, realtime.ConnectOptions{
		Identity: &realtime.Identity{UserID: "u1"},
		HandlerOptions: realtime.HandlerOptions{
			OnClose: func(_ context.Context, _ *realtime.Conn, code realtime.CloseCode, _ string) { closed <- code },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := s.dial(t, user("u1"))
	if _, err := s.SendToUser(t.Context(), "u1", realtime.Message{Type: "x"}); err != nil {
		t.Fatal(err)
	}
	a.wants("x")
	b.wants("x")
	if code := eventually(t, closed, "the faulty connection's end"); code != 1006 {
		t.Errorf("it ended with %d, want 1006", code)
	}
	if receipt, _ := s.SendToUser(t.Context(), "u1", realtime.Message{Type: "y"}); receipt.Recipients != 2 {
		t.Errorf("%d recipients, want the two that live", receipt.Recipients)
	}
}

// panicking is a transport with a bug.
type panicking struct{ ends chan string }

func (p *panicking) Send([]byte) error          { panic("a bug in Send") }
func (p *panicking) Close(uint16, string) error { defer close(p.ends); panic("a bug in Close") }

// A panic in an application's transport ends its connection with 1011, and
// nothing else.
func TestTransportPanics(t *testing.T) {
	t.Parallel()
	s := startOver(t, overTransport, realtime.Options{}, realtime.HandlerOptions{})
	closed := make(chan realtime.CloseCode, 1)
	bug := &panicking{ends: make(chan string)}
	_, err := s.Connect(t.Context(), bug, realtime.ConnectOptions{
		Identity: &realtime.Identity{UserID: "u1"},
		HandlerOptions: realtime.HandlerOptions{
			OnClose: func(_ context.Context, _ *realtime.Conn, code realtime.CloseCode, _ string) { closed <- code },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if code := eventually(t, closed, "the end"); code != 1011 {
		t.Errorf("it ended with %d, want 1011", code)
	}
	<-bug.ends
	other := s.dial(t, user("u1"))
	if receipt, err := s.SendToUser(t.Context(), "u1", realtime.Message{Type: "x"}); err != nil || receipt.Recipients != 1 {
		t.Errorf("%+v, %v; want the other connection", receipt, err)
	}
	other.wants("x")
}

// counted is a payload that knows how often it was encoded.
type counted struct{ times *atomic.Int32 }

func (c counted) MarshalJSON() ([]byte, error) {
	c.times.Add(1)
	return []byte(`"encoded"`), nil
}

// D13: a message is encoded once, not once for each recipient.
func TestMessagesAreEncodedOnce(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	clients := []*client{s.dial(t, user("u1")), s.dial(t, user("u2")), s.dial(t, user("u3"))}
	var times atomic.Int32
	if _, err := s.Broadcast(t.Context(), realtime.Message{Type: "x", Payload: counted{&times}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		c.wants("x")
	}
	if n := times.Load(); n != 1 {
		t.Errorf("the payload was encoded %d times for 3 recipients", n)
	}
}

func TestMessagesArriveInOrder(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		s := startOver(t, w, realtime.Options{}, realtime.HandlerOptions{})
		c := s.dial(t, user("u1", "r"))
		subscribe(t, s, c, "t")
		to := []realtime.Address{
			realtime.User("u1"), realtime.Role("r"), realtime.Everyone(), realtime.Connection(c.id), realtime.Topic("t"),
		}
		const messages = 1000
		go func() {
			for i := range messages {
				if _, err := s.Send(context.Background(), to[i%len(to)], realtime.Message{Type: fmt.Sprint(i)}); err != nil {
					t.Errorf("send: %v", err)
				}
			}
		}()
		for i := range messages {
			c.wants(fmt.Sprint(i))
		}
	})
}

// An identity that names a role twice is one recipient, and leaves like others.
func TestRoleGivenTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	s := startOver(t, overTransport, realtime.Options{Shards: 1}, realtime.HandlerOptions{})
	var twice realtimetest.Recorder
	c, err := s.Connect(t.Context(), &twice, realtime.ConnectOptions{
		Identity: &realtime.Identity{UserID: "u1", Roles: []string{"r", "q", "r", "r"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	other := s.dial(t, user("u2", "r"))
	for _, want := range []int{2, 1} {
		receipt, err := s.SendToRole(t.Context(), "r", realtime.Message{Type: "x"})
		if err != nil || receipt.Recipients != want {
			t.Errorf("%+v, %v; want %d recipients", receipt, err, want)
		}
		other.wants("x")
		other.wantsNothing()
		c.Close(1000, "")
	}
	if _, _, err := twice.WaitClosed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(twice.Messages()); n != 1 {
		t.Errorf("it got %d messages, want 1", n)
	}
}

// subscribe subscribes one client from the server's side.
func subscribe(t *testing.T, s *server, c *client, topic string) {
	t.Helper()
	receipt, err := s.Subscribe(t.Context(), realtime.Connection(c.id), topic)
	if err != nil || receipt.Recipients != 1 {
		t.Fatalf("subscribe: %+v, %v", receipt, err)
	}
}

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

// BenchmarkPublish publishes to topics of one subscriber each, over loopback, with
// up to 64 messages on their way. The time is that of server and clients together.
func BenchmarkPublish(b *testing.B) {
	const topics, inFlight = 1_000, 64
	s, url := serveTopics(b)
	var received atomic.Int64
	arrived := make(chan struct{}, 1)
	m := realtime.Message{Type: "bench", Payload: json.RawMessage(`{"pad":"` + strings.Repeat("x", 118) + `"}`)}
	topic := func(i int) string { return fmt.Sprintf("orders:u%d", i%topics) }
	for i := range topics {
		go count(dialTopic(b, url, fmt.Sprintf("u%d", i)), &received, arrived)
	}
	publish := func(i int) {
		if receipt, err := s.PublishToTopic(b.Context(), topic(i), m); err != nil || receipt.Recipients != 1 {
			b.Fatalf("%d recipients, %v", receipt.Recipients, err)
		}
	}
	b.ReportAllocs()
	sent := int64(0)
	for i := 0; b.Loop(); i++ {
		publish(i)
		for sent++; sent-received.Load() >= inFlight; {
			<-arrived
		}
	}
	for received.Load() < sent {
		<-arrived
	}
}

// serveTopics serves clients whose topic is that of their user.
func serveTopics(b *testing.B) (s *realtime.Service, url string) {
	b.Helper()
	verifier, err := auth.New(auth.Options{HMACSecret: []byte(benchSecret)})
	if err != nil {
		b.Fatal(err)
	}
	s, err = realtime.New(realtime.Options{Verifier: verifier, PingInterval: -1})
	if err != nil {
		b.Fatal(err)
	}
	web := httptest.NewServer(s.Handler(realtime.HandlerOptions{
		OnOpen: func(_ context.Context, c *realtime.Conn) error { return c.Subscribe("orders:" + c.UserID()) },
	}))
	b.Cleanup(func() {
		web.Close()
		_ = s.Shutdown(context.Background())
	})
	return s, web.Listener.Addr().String()
}

const benchSecret = "a secret of the benchmark, long enough for HS256"

// dialTopic connects a user, and reads up to what follows $connected.
func dialTopic(b *testing.B, address, user string) *bufio.Reader {
	b.Helper()
	token, err := auth.Mint([]byte(benchSecret), map[string]any{"sub": user, "exp": 4e9})
	if err != nil {
		b.Fatal(err)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "GET /?token=%s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", token)
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		b.Fatalf("%v, %v", answer, err)
	}
	if err := skipFrame(r); err != nil {
		b.Fatal(err)
	}
	return r
}

// skipFrame reads past a frame of up to 64 KiB.
func skipFrame(r *bufio.Reader) error {
	head, err := r.Peek(4)
	if err != nil {
		return err
	}
	size, length := 2, int(head[1])
	if length == 126 {
		size, length = 4, int(head[2])<<8|int(head[3])
	}
	_, err = r.Discard(size + length)
	return err
}

// count counts frames until the connection ends.
func count(r *bufio.Reader, received *atomic.Int64, arrived chan<- struct{}) {
	for skipFrame(r) == nil {
		received.Add(1)
		select {
		case arrived <- struct{}{}:
		default:
		}
	}
}
