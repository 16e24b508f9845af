package realtime_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
)

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
