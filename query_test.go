package realtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/realtimetest"
)

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
