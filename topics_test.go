package realtime_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/realtimetest"
)

// listen returns what a listener of a topic hears.
func listen(t *testing.T, svc *realtime.Service, topic string) (heard <-chan realtime.Message, stop func()) {
	t.Helper()
	messages := make(chan realtime.Message, 100)
	stop, err := svc.OnTopic(topic, func(_ context.Context, m realtime.Message) error { messages <- m; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return messages, stop
}

func publish(t *testing.T, svc *realtime.Service, topic, messageType string) realtime.Receipt {
	t.Helper()
	receipt, err := svc.PublishToTopic(t.Context(), topic, realtime.Message{Type: messageType, Payload: 7})
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

// R13: a function hears each message of its topic once, counts as a recipient,
// and can be removed.
func TestListener(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	heard, stop := listen(t, svc, "order:1")
	other, _ := listen(t, svc, "order:1")
	if receipt := publish(t, svc, "order:1", "a"); receipt.Recipients != 2 {
		t.Errorf("%d recipients, want the two listeners", receipt.Recipients)
	}
	if receipt := publish(t, svc, "order:2", "b"); receipt.Recipients != 0 {
		t.Errorf("another topic: %d recipients", receipt.Recipients)
	}
	m := <-heard
	text, err := m.JSON(m.Timestamp)
	if err != nil || m.Type != "a" || m.Timestamp.IsZero() || !strings.Contains(string(text), `"payload":7`) {
		t.Errorf("heard %s (%v), %+v", text, err, m)
	}
	<-other
	stop()
	stop()
	if receipt := publish(t, svc, "order:1", "c"); receipt.Recipients != 1 {
		t.Errorf("after stop: %d recipients, want 1", receipt.Recipients)
	}
	if m := <-other; m.Type != "c" {
		t.Errorf("the other listener heard %s", m.Type)
	}
	if len(heard) != 0 {
		t.Error("it heard a message after stop")
	}
}

func TestListenerHearsInOrder(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	heard, _ := listen(t, svc, "t")
	for i := range 100 {
		publish(t, svc, "t", fmt.Sprint(i))
	}
	for i := range 100 {
		if m := <-heard; m.Type != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, m.Type)
		}
	}
}

// R13: the failure of a listener is logged and harms nobody, itself included.
func TestListenerFailures(t *testing.T) {
	t.Parallel()
	log := &journal{}
	svc := newService(t, realtime.Options{Log: log.logger()})
	calls := make(chan string, 10)
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("it returned an error") },
		"panic": func() error { panic("it panicked too") },
	} {
		_, err := svc.OnTopic("t", func(context.Context, realtime.Message) error { calls <- name; return fail() })
		if err != nil {
			t.Fatal(err)
		}
	}
	heard, _ := listen(t, svc, "t")
	for _, want := range []string{"a", "b"} {
		if receipt := publish(t, svc, "t", want); receipt.Recipients != 3 {
			t.Errorf("%d recipients, want 3", receipt.Recipients)
		}
		if m := eventually(t, heard, want); m.Type != want {
			t.Errorf("heard %s, want %s", m.Type, want)
		}
		eventually(t, calls, "a failing listener")
		eventually(t, calls, "the other failing listener")
	}
	if err := svc.Shutdown(t.Context()); err != nil { // all is logged then
		t.Fatal(err)
	}
	for _, want := range []string{"it returned an error", "it panicked too"} {
		if strings.Count(log.String(), want) < 2 {
			t.Errorf("%q is not logged twice:\n%s", want, log)
		}
	}
}

// A slow listener delays no publisher and loses the newest messages, which are
// neither counted as recipients nor forgotten in the figures.
func TestListenerFallsBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := newService(t, realtime.Options{PingInterval: -1})
		proceed, heard := make(chan struct{}), 0
		_, err := svc.OnTopic("t", func(context.Context, realtime.Message) error { <-proceed; heard++; return nil })
		if err != nil {
			t.Fatal(err)
		}
		publish(t, svc, "t", "x")
		synctest.Wait() // it is being heard
		const capacity, more = 4096, 10
		taken := 1
		for range capacity + more {
			taken += publish(t, svc, "t", "x").Recipients
		}
		if taken != 1+capacity {
			t.Errorf("%d messages were taken, want %d", taken, 1+capacity)
		}
		if drops := metric(t, svc, "realtime_drops_total"); drops != more {
			t.Errorf("%v drops are counted, want %d", drops, more)
		}
		close(proceed)
		synctest.Wait()
		if heard != taken {
			t.Errorf("%d messages were heard, want %d", heard, taken)
		}
	})
}

// What a listener heard can be sent on, without traces of its old topic.
func TestListenerForwards(t *testing.T) {
	t.Parallel()
	s := startOver(t, overTransport, realtime.Options{}, realtime.HandlerOptions{})
	c := s.dial(t, user("u1"))
	subscribe(t, s, c, "to")
	_, err := s.OnTopic("from", func(ctx context.Context, m realtime.Message) error {
		_, err1 := s.PublishToTopic(ctx, "to", m)
		_, err2 := s.Broadcast(ctx, m)
		return errors.Join(err1, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
	ready, err := realtime.ParseMessage([]byte(`{"type":"a","timestamp":"then"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PublishToTopic(t.Context(), "from", ready); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`{"type":"a","timestamp":"then","topic":"to"}`, `{"type":"a","timestamp":"then"}`} {
		if text, err := c.link.read(t.Context()); err != nil || string(text) != want {
			t.Errorf("got %s (%v), want %s", text, err, want)
		}
	}
}

// What a client that does not read gets in the end, by the policy of the topic:
// messages of a user, which may not be dropped, stand between those of the topic.
func TestSlowReaderPolicies(t *testing.T) {
	rules := []realtime.TopicRule{
		{Match: "price:*", Slow: realtime.LatestOnly},
		{Match: "log", Slow: realtime.DropOldest},
		{Match: "*", Slow: realtime.Disconnect},
	}
	for _, test := range []struct {
		topic  string
		reason string // of the drops
		check  func(t *testing.T, got []int)
	}{
		{"price:eur", "superseded", func(t *testing.T, got []int) {
			if len(got) > 20 { // those of the first moments, and the last
				t.Errorf("%d messages came, want those of the first moments and the last", len(got))
			}
		}},
		{"log", "oldest", func(t *testing.T, got []int) {
			if tail := got[len(got)-5:]; tail[4]-tail[0] != 4 {
				t.Errorf("the end is %v, want no gap in it: the oldest are dropped", tail)
			}
		}},
	} {
		t.Run(test.topic, func(t *testing.T) {
			const backlog, rounds = 16 << 10, 400
			opts := realtime.Options{PingInterval: -1, Topics: rules, Limits: realtime.Limits{MessageSize: 1 << 10, Backlog: backlog}}
			inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
				slow, good := dial(user("slow")), dial(user("good"))
				if _, err := svc.Subscribe(t.Context(), realtime.Everyone(), test.topic); err != nil {
					t.Fatal(err)
				}
				for i := range rounds {
					publishNumber(t, svc, realtime.Topic(test.topic), i)
					if i%100 == 50 {
						publishNumber(t, svc, realtime.User("slow"), i)
					}
					good.wants("n")
					time.Sleep(10 * time.Millisecond)
					if waiting := metric(t, svc, "realtime_backlog_bytes"); waiting > 4*backlog+2<<10 {
						t.Fatalf("%v octets wait for a backlog of %d", waiting, backlog)
					}
				}
				got, kept := readNumbers(slow, rounds-1)
				if fmt.Sprint(kept) != "[50 150 250 350]" {
					t.Errorf("of the messages to the user came %v", kept)
				}
				if len(got) == rounds {
					t.Error("nothing was dropped")
				}
				test.check(t, got)
				if drops := metric(t, svc, "realtime_drops_total"); int(drops) != rounds-len(got) {
					t.Errorf("%d of %d messages came, %v drops are counted", len(got), rounds, drops)
				}
				publishNumber(t, svc, realtime.Topic(test.topic), rounds)
				slow.wants("n")
				good.wants("n")
			})
		})
	}
}

func publishNumber(t *testing.T, svc *realtime.Service, to realtime.Address, number int) {
	t.Helper()
	payload := map[string]any{"n": number, "fill": strings.Repeat("x", 800)}
	if _, err := svc.Send(t.Context(), to, realtime.Message{Type: "n", Payload: payload}); err != nil {
		t.Fatal(err)
	}
}

// readNumbers reads messages up to the topic's with the last number. Those of
// the topic and those of the user must come in the order they were sent in.
func readNumbers(c *raw, last int) (topic, own []int) {
	c.t.Helper()
	newest := -1
	for {
		event := c.next()
		var m struct {
			Topic   string
			Payload struct{ N int }
		}
		if err := json.Unmarshal(event.Data, &m); event.Kind != socket.Message || err != nil {
			c.t.Fatalf("got kind %d, code %d %.40q", event.Kind, event.Code, event.Data)
		}
		n := m.Payload.N
		if n < newest || n == newest && m.Topic != "" {
			c.t.Fatalf("number %d came after %d", n, newest)
		}
		newest = n
		if m.Topic == "" {
			own = append(own, n)
			continue
		}
		if topic = append(topic, n); n == last {
			return topic, own
		}
	}
}

// A rule that cannot match, or says nothing, is refused at the start.
func TestTopicRules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule realtime.TopicRule
		want string
	}{
		{realtime.TopicRule{Match: "a"}, ""},
		{realtime.TopicRule{Match: "a:*", Slow: realtime.LatestOnly}, ""},
		{realtime.TopicRule{Match: "a*"}, ""},
		{realtime.TopicRule{Match: "*"}, ""},
		{realtime.TopicRule{}, "matches no topic"},
		{realtime.TopicRule{Match: "a::b"}, "matches no topic"},
		{realtime.TopicRule{Match: "a:"}, "matches no topic"},
		{realtime.TopicRule{Match: ":*"}, "matches no topic"},
		{realtime.TopicRule{Match: "*:a"}, "matches no topic"},
		{realtime.TopicRule{Match: "a", Slow: 9}, "unknown policy"},
	} {
		svc, err := realtime.New(realtime.Options{Topics: []realtime.TopicRule{test.rule}})
		if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.rule, err, test.want)
		}
		if err == nil {
			_ = svc.Shutdown(t.Context())
		}
	}
}

func ids(conns []*realtime.Conn) []string {
	found := []string{}
	for _, c := range conns {
		found = append(found, c.ID())
	}
	slices.Sort(found)
	return found
}

func sorted(clients ...*client) []string {
	wanted := []string{}
	for _, c := range clients {
		wanted = append(wanted, c.id)
	}
	slices.Sort(wanted)
	return wanted
}

// R11: connections are found by user, role, topic and id; all; and counted.
func TestRegistry(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		s := startOver(t, w, realtime.Options{Shards: 2}, realtime.HandlerOptions{})
		if n := len(s.Connections(realtime.Everyone())) + s.ConnectionCount(); n != 0 {
			t.Errorf("a new service has %d connections", n)
		}
		a, b, c := s.dial(t, user("u1", "admin")), s.dial(t, user("u1")), s.dial(t, user("u2", "admin", "editor"))
		subscribe(t, s, a, "t")
		for _, q := range []struct {
			of   realtime.Address
			want []string
		}{
			{realtime.Everyone(), sorted(a, b, c)},
			{realtime.User("u1"), sorted(a, b)},
			{realtime.User("u3"), sorted()},
			{realtime.Role("admin"), sorted(a, c)},
			{realtime.Role("editor"), sorted(c)},
			{realtime.Role("none"), sorted()},
			{realtime.Topic("t"), sorted(a)},
			{realtime.Connection(b.id), sorted(b)},
			{realtime.Connection("no id"), sorted()},
		} {
			if diff := cmp.Diff(q.want, ids(s.Connections(q.of))); diff != "" {
				t.Errorf("%s: %s", q.of, diff)
			}
		}
		if s.Connection(a.id).UserID() != "u1" || s.Connection("no id") != nil || s.Connection(strings.ToLower(a.id)+"=") != nil {
			t.Error("Connection finds something else")
		}
		if s.ConnectionCount() != 3 {
			t.Errorf("%d connections, want 3", s.ConnectionCount())
		}
		s.Connection(b.id).Close(4503, "")
		if diff := cmp.Diff(sorted(a, c), ids(s.Connections(realtime.Everyone()))); diff != "" {
			t.Errorf("after one has left: %s", diff)
		}
	})
}

// R11: the registry is safe under concurrency, and empty when all have left.
func TestRegistryUnderConcurrency(t *testing.T) {
	t.Parallel()
	s := startOver(t, overTransport, realtime.Options{Shards: 2}, realtime.HandlerOptions{})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 30 {
				id := &realtime.Identity{UserID: fmt.Sprint("u", i%3), Roles: []string{"r"}}
				c, err := s.Connect(context.Background(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id})
				if err != nil {
					t.Error(err)
					return
				}
				_ = c.Subscribe(fmt.Sprint("t", g%2))
				if found := s.Connection(c.ID()); found != c {
					t.Errorf("Connection(%s) = %v", c.ID(), found)
				}
				for _, other := range s.Connections(realtime.User(id.UserID)) {
					_ = other.Info()
				}
				_, _ = s.SendToRole(context.Background(), "r", realtime.Message{Type: "x"})
				if i%2 == 0 {
					c.Unsubscribe(fmt.Sprint("t", g%2))
				}
				c.Close(1000, "")
			}
		})
	}
	wg.Wait()
	if s.ConnectionCount() != 0 || s.SubscriptionCount() != 0 || s.TopicCount() != 0 || len(s.Connections(realtime.Role("r"))) != 0 {
		t.Errorf("%d connections, %d subscriptions, %d topics are left", s.ConnectionCount(), s.SubscriptionCount(), s.TopicCount())
	}
}

// R12: subscriptions are idempotent; an empty topic vanishes.
func TestTopics(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		s := startOver(t, w, realtime.Options{}, realtime.HandlerOptions{})
		a, b := s.dial(t, user("u1")), s.dial(t, user("u2"))
		for range 2 {
			subscribe(t, s, a, "order:1")
			subscribe(t, s, b, "order:1")
			subscribe(t, s, a, "order:2")
		}
		want := []realtime.TopicInfo{{Topic: "order:1", Subscribers: 2}, {Topic: "order:2", Subscribers: 1}}
		if diff := cmp.Diff(want, s.Topics()); diff != "" {
			t.Errorf("topics: %s", diff)
		}
		if s.TopicCount() != 2 || s.SubscriptionCount() != 3 {
			t.Errorf("%d topics, %d subscriptions; want 2, 3", s.TopicCount(), s.SubscriptionCount())
		}
		if diff := cmp.Diff(sorted(a, b), s.TopicSubscribers("order:1")); diff != "" {
			t.Errorf("subscribers: %s", diff)
		}
		conn := s.Connection(a.id)
		if topics := slices.Sorted(slices.Values(conn.Topics())); !equal(topics, []string{"order:1", "order:2"}) {
			t.Errorf("topics of a connection: %v", topics)
		}
		if _, err := s.PublishToTopic(t.Context(), "order:1", realtime.Message{Type: "x"}); err != nil {
			t.Fatal(err)
		}
		if m := b.read(); m["topic"] != "order:1" {
			t.Errorf("the message names its topic %v", m["topic"])
		}
		a.wants("x") // once, though subscribed twice
		if !conn.Unsubscribe("order:2") || conn.Unsubscribe("order:2") {
			t.Error("Unsubscribe tells wrongly whether there was a subscription")
		}
		if n := conn.UnsubscribeAll(); n != 1 || conn.UnsubscribeAll() != 0 {
			t.Errorf("UnsubscribeAll = %d, want 1, then 0", n)
		}
		if diff := cmp.Diff([]realtime.TopicInfo{{Topic: "order:1", Subscribers: 1}}, s.Topics()); diff != "" || s.TopicCount() != 1 {
			t.Errorf("topics: %s", diff)
		}
		_, _ = s.PublishToTopic(t.Context(), "order:1", realtime.Message{Type: "y"})
		a.wantsNothing()
		b.wants("y")
	})
}

// R12: the server's side subscribes and unsubscribes whole groups.
func TestSubscribeByAddress(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	s.dial(t, user("u1", "r"))
	s.dial(t, user("u1"))
	s.dial(t, user("u2", "r"))
	ctx := t.Context()
	for _, step := range []struct {
		name          string
		do            func() (realtime.Receipt, error)
		recipients    int
		subscriptions int
	}{
		{"a user", func() (realtime.Receipt, error) { return s.Subscribe(ctx, realtime.User("u1"), "a") }, 2, 2},
		{"everyone", func() (realtime.Receipt, error) { return s.Subscribe(ctx, realtime.Everyone(), "a") }, 3, 3},
		{"a topic's subscribers", func() (realtime.Receipt, error) { return s.Subscribe(ctx, realtime.Topic("a"), "b") }, 3, 6},
		{"a role leaves", func() (realtime.Receipt, error) { return s.Unsubscribe(ctx, realtime.Role("r"), "a") }, 2, 4},
		{"nobody", func() (realtime.Receipt, error) { return s.Unsubscribe(ctx, realtime.User("u9"), "a") }, 0, 4},
		{"all topics of a user", func() (realtime.Receipt, error) { return s.UnsubscribeAll(ctx, realtime.User("u1")) }, 2, 1},
		{"all of everyone", func() (realtime.Receipt, error) { return s.UnsubscribeAll(ctx, realtime.Everyone()) }, 3, 0},
	} {
		receipt, err := step.do()
		if err != nil || receipt.Recipients != step.recipients || s.SubscriptionCount() != step.subscriptions {
			t.Errorf("%s: %+v, %v, %d subscriptions; want %d, %d", step.name, receipt, err, s.SubscriptionCount(), step.recipients, step.subscriptions)
		}
	}
}

// R12: a topic has 1 to 255 octets and a sane form.
func TestTopicNames(t *testing.T) {
	t.Parallel()
	s := startOver(t, overTransport, realtime.Options{}, realtime.HandlerOptions{})
	c := s.dial(t, user("u1"))
	for topic, valid := range map[string]bool{
		"a": true, strings.Repeat("a", 255): true, "a:b:c": true, "ü/ .": true, "a$": true,
		"": false, strings.Repeat("a", 256): false, "\xff": false, "a\n": false, "$a": false, "a*": false, ">": false,
		":a": false, "a:": false, "a::b": false,
	} {
		_, err1 := s.Subscribe(t.Context(), realtime.Connection(c.id), topic)
		_, err2 := s.Unsubscribe(t.Context(), realtime.Connection(c.id), topic)
		_, err3 := s.PublishToTopic(t.Context(), topic, realtime.Message{Type: "x"})
		_, err4 := s.OnTopic(topic, func(context.Context, realtime.Message) error { return nil })
		for _, err := range []error{err1, err2, err3, err4, s.Connection(c.id).Subscribe(topic)} {
			if valid && err != nil || !valid && !errors.Is(err, realtime.ErrInvalidTopic) {
				t.Errorf("%.20q: %v, want valid = %v", topic, err, valid)
			}
		}
	}
}

// A connection may have so many topics and no more.
func TestTopicLimit(t *testing.T) {
	t.Parallel()
	s := startOver(t, overTransport, realtime.Options{Limits: realtime.Limits{Topics: 2}}, realtime.HandlerOptions{})
	c := s.Connection(s.dial(t, user("u1")).id)
	for _, step := range []struct {
		topic string
		want  error
	}{{"a", nil}, {"b", nil}, {"c", realtime.ErrTopicLimit}, {"a", nil}} {
		if err := c.Subscribe(step.topic); !errors.Is(err, step.want) {
			t.Errorf("%s: %v, want %v", step.topic, err, step.want)
		}
	}
	c.Unsubscribe("a")
	if err := c.Subscribe("c"); err != nil {
		t.Errorf("after one was given up: %v", err)
	}
	if receipt, err := s.Subscribe(t.Context(), realtime.Everyone(), "d"); err != nil || receipt.Recipients != 0 {
		t.Errorf("%+v, %v; a full connection is not counted", receipt, err)
	}
}
