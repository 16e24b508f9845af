package realtime_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/realtimetest"
)

// A new rate counts for connections that are open, in both directions.
func TestSetMessageRate(t *testing.T) {
	opts := realtime.Options{PingInterval: -1, Limits: realtime.Limits{MessageRate: 1, MessageBurst: 5}}
	inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		c := dial(user("u1"))
		ping := func() {
			c.send(socket.OpText, `{"action":"ping"}`)
			c.wants("$reply")
		}
		setLimits(t, svc, realtime.Limits{MessageRate: 1000, MessageBurst: 50})
		time.Sleep(time.Second) // virtual
		for range 50 {
			ping()
		}
		setLimits(t, svc, realtime.Limits{MessageRate: 1, MessageBurst: 2})
		time.Sleep(time.Minute) // virtual
		ping()
		ping()
		c.send(socket.OpText, `{"action":"ping"}`)
		c.wantsClose(4013)
	})
}

func setLimits(t *testing.T, svc *realtime.Service, l realtime.Limits) {
	t.Helper()
	if err := svc.SetLimits(l); err != nil {
		t.Fatalf("set limits: %v", err)
	}
}

func TestSetTopicLimit(t *testing.T) {
	opts := realtime.Options{Limits: realtime.Limits{Topics: 1}}
	inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		c := dial(claims{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix(), "topics": []string{"t:*"}})
		subscribe := func(topic, want string) {
			t.Helper()
			c.send(socket.OpText, fmt.Sprintf(`{"action":"subscribe","topic":%q}`, topic))
			if reply := c.next(); !strings.Contains(string(reply.Data), want) {
				t.Errorf("subscribe to %s: %s, want %s", topic, reply.Data, want)
			}
		}
		subscribe("t:1", `"ok":true`)
		subscribe("t:2", `"topic_limit"`)
		setLimits(t, svc, realtime.Limits{Topics: 2})
		subscribe("t:2", `"ok":true`)
		setLimits(t, svc, realtime.Limits{Topics: 1})
		subscribe("t:3", `at most 1 topics`)
		if n := svc.SubscriptionCount(); n != 2 {
			t.Errorf("%d subscriptions, want 2: they stay", n)
		}
	})
}

// A new number of connections counts for new ones; those that are too many stay.
func TestSetConnectionLimits(t *testing.T) {
	for name, limit := range map[string]func(n int) realtime.Limits{
		"in all":   func(n int) realtime.Limits { return realtime.Limits{Connections: n} },
		"per user": func(n int) realtime.Limits { return realtime.Limits{ConnectionsPerUser: n, RejectNewest: true} },
		"per address": func(n int) realtime.Limits {
			return realtime.Limits{ConnectionsPerAddress: n}
		},
	} {
		t.Run(name, func(t *testing.T) {
			opts := realtime.Options{PingInterval: -1, Limits: limit(1)}
			inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
				dial(user("u1"))
				refused := func() {
					t.Helper()
					target := "/?token=" + token(t, user("u1"))
					if status, _, text := ask(t, svc.Handler(realtime.HandlerOptions{}), upgrading(target)); status < 400 {
						t.Errorf("status %d %q, want a refusal", status, text)
					}
				}
				refused()
				setLimits(t, svc, limit(2))
				dial(user("u1"))
				refused()
				setLimits(t, svc, realtime.Limits{})
				dial(user("u1"))
				setLimits(t, svc, limit(1))
				refused()
				if n := svc.ConnectionCount(); n != 3 {
					t.Errorf("%d connections, want 3", n)
				}
				if err := svc.ConsistencyCheck(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestSetLimitsRefuses(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{Limits: realtime.Limits{MessageSize: 1000, Topics: 7}})
	before := svc.Limits()
	for want, l := range map[string]realtime.Limits{
		"MessageSize and Backlog stay":             {},
		"MessageSize and Backlog stay as they":     {MessageSize: 1000, Backlog: 2 << 20},
		"Limits.Topics is negative":                {MessageSize: 1000, Topics: -1},
		"Limits.ConnectionsPerAddress is negative": {MessageSize: 1000, ConnectionsPerAddress: -1},
		"are both set":                             {MessageSize: 1000, EvictOldest: true, RejectNewest: true},
	} {
		if err := svc.SetLimits(l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", l, err, want)
		}
	}
	if after := svc.Limits(); after != before {
		t.Errorf("the limits are %+v, want %+v", after, before)
	}
	setLimits(t, svc, realtime.Limits{MessageSize: 1000})
	if after := svc.Limits(); after.Topics != 128 {
		t.Errorf("%d topics, want the default", after.Topics)
	}
}

// Limits that change while connections come and go leave the counts right.
func TestSetLimitsUnderRace(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	var clients, changes sync.WaitGroup
	done := make(chan struct{})
	changes.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			if err := svc.SetLimits(realtime.Limits{ConnectionsPerUser: i % 3 * 2, RejectNewest: i%2 == 0}); err != nil {
				t.Error(err)
			}
		}
	})
	for i := range 4 {
		clients.Go(func() {
			for n := range 200 {
				id := &realtime.Identity{UserID: fmt.Sprintf("u%d", (i+n)%3)}
				c, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id})
				if err == nil && n%5 != 0 {
					c.Close(1000, "")
				}
			}
		})
	}
	clients.Wait()
	close(done)
	changes.Wait()
	setLimits(t, svc, realtime.Limits{ConnectionsPerUser: 1, EvictOldest: true})
	for i := range 3 {
		id := &realtime.Identity{UserID: fmt.Sprintf("u%d", i)}
		if _, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id}); err != nil {
			t.Error(err)
		}
	}
	if n := svc.ConnectionCount(); n != 3 {
		t.Errorf("%d connections, want 3: the older ones made room", n)
	}
	if err := svc.ConsistencyCheck(); err != nil {
		t.Error(err)
	}
}
