package realtime_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
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
