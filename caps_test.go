package realtime_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/realtimetest"
)

const protocol = "boundary.realtime.v1"

// A connection too many is refused: 429 or 503 for plain clients, 4504 or 1013
// for clients of the subprotocol. When another has gone, it is taken.
func TestConnectionCaps(t *testing.T) {
	for name, test := range map[string]struct {
		limits realtime.Limits
		second string // user
		status int
		code   realtime.CloseCode
		reason string
	}{
		"per user":    {realtime.Limits{ConnectionsPerUser: 2, RejectNewest: true}, "u1", 429, 4504, "user_limit"},
		"per address": {realtime.Limits{ConnectionsPerAddress: 2}, "u2", 429, 4504, "address_limit"},
		"in all":      {realtime.Limits{Connections: 2}, "u2", 503, 1013, "full"},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, realtime.Options{PingInterval: -1, Limits: test.limits}, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
				first := dial(user("u1"))
				dial(user(test.second))
				h := svc.Handler(realtime.HandlerOptions{})
				target := "/?token=" + token(t, user(test.second))
				status, header, text := ask(t, h, upgrading(target))
				if after, err := strconv.Atoi(header.Get("Retry-After")); status != test.status || err != nil || after < 5 || after > 20 {
					t.Errorf("status %d %q, Retry-After %q, want %d", status, text, header.Get("Retry-After"), test.status)
				}
				refused := dialPipe(t, h, upgrading(target, "Sec-WebSocket-Protocol", protocol))
				if delay := refused.wantsRetry(test.code, test.reason); delay < 5*time.Second || delay > 20*time.Second {
					t.Errorf("it may come back after %v", delay)
				}
				synctest.Wait()
				if n := metric(t, svc, "realtime_refusals_total"); n != 2 || svc.ConnectionCount() != 2 {
					t.Errorf("%v refusals are counted, %d connections are there", n, svc.ConnectionCount())
				}
				first.send(socket.OpClose, "\x03\xe8")
				first.wantsKind(socket.Close)
				synctest.Wait()
				dial(user(test.second))
				if err := svc.ConsistencyCheck(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// With EvictOldest, and of a user by default, the oldest makes room: it is closed
// with 4504 and no $closing, since its client is to stop.
func TestEvictOldest(t *testing.T) {
	for name, limits := range map[string]realtime.Limits{
		"of the user":      {ConnectionsPerUser: 2, EvictOldest: true},
		"from the address": {ConnectionsPerAddress: 2, EvictOldest: true},
		"by default":       {ConnectionsPerUser: 2},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, realtime.Options{PingInterval: -1, Limits: limits}, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
				var clients []*raw
				for range 4 {
					clients = append(clients, dial(user("u1")))
					time.Sleep(time.Second)
				}
				clients[0].wantsClose(4504)
				clients[1].wantsClose(4504)
				if n, err := svc.SendToUser(t.Context(), "u1", realtime.Message{Type: "x"}); err != nil || n.Recipients != 2 {
					t.Errorf("%d recipients (%v), want 2", n.Recipients, err)
				}
				clients[2].wants("x")
				clients[3].wants("x")
			})
		})
	}
}

// A connection takes the place of the oldest when OnOpen has accepted it, not before:
// one that is refused costs the user nothing.
func TestEvictionWaitsForOnOpen(t *testing.T) {
	for name, limits := range map[string]realtime.Limits{
		"of the user":      {ConnectionsPerUser: 1},
		"from the address": {ConnectionsPerAddress: 1, EvictOldest: true},
	} {
		t.Run(name, func(t *testing.T) {
			decide := make(chan error, 1)
			decide <- nil
			handler := realtime.HandlerOptions{OnOpen: func(context.Context, *realtime.Conn) error { return <-decide }}
			inVirtualTime(t, realtime.Options{PingInterval: -1, Limits: limits}, handler, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
				first := dial(user("u1"))
				time.Sleep(time.Second)
				decide <- realtime.Refuse(4403, "no such room")
				second := dialPipe(t, svc.Handler(handler), upgrading("/?token="+token(t, user("u1"))))
				wantsRefusal(t, second, 4403, "no such room")
				if n, err := svc.SendToUser(t.Context(), "u1", realtime.Message{Type: "x"}); err != nil || n.Recipients != 1 {
					t.Errorf("%d recipients (%v), want 1", n.Recipients, err)
				}
				first.wants("x")
				decide <- nil
				dial(user("u1"))
				first.wantsClose(4504)
				if err := svc.ConsistencyCheck(); err != nil || svc.ConnectionCount() != 1 {
					t.Errorf("%d connections, %v", svc.ConnectionCount(), err)
				}
			})
		})
	}
}

// However many come at once, the cap holds, and no place is lost.
func TestConnectionCapsUnderRace(t *testing.T) {
	t.Parallel()
	for _, evict := range []bool{false, true} {
		const most = 5
		svc := newService(t, realtime.Options{Limits: realtime.Limits{ConnectionsPerUser: most, EvictOldest: evict, RejectNewest: !evict}})
		for range 5 {
			var all sync.WaitGroup
			for range 40 {
				all.Go(func() {
					_, err := svc.Connect(context.Background(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: &realtime.Identity{UserID: "u1"}})
					if evict && err != nil {
						t.Errorf("connect: %v", err)
					}
				})
			}
			all.Wait()
			conns := svc.Connections(realtime.User("u1"))
			if len(conns) != most || svc.ConnectionCount() != most {
				t.Fatalf("evict %v: %d connections, %d counted, want %d", evict, len(conns), svc.ConnectionCount(), most)
			}
			if err := svc.ConsistencyCheck(); err != nil {
				t.Fatal(err)
			}
			for _, c := range conns {
				c.Close(0, "")
			}
		}
	}
}

// X-Forwarded-For counts only as far as listed proxies wrote it.
func TestAddressBehindProxies(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, test := range []struct {
		name       string
		trusted    []netip.Prefix
		remote     [2]string
		forwarded  [2][]string
		sameClient bool
	}{
		{"no proxies", nil, [2]string{"1.1.1.1:1", "1.1.1.1:2"}, [2][]string{{"7.7.7.7"}, {"8.8.8.8"}}, true},
		{"no proxies, two clients", nil, [2]string{"1.1.1.1:1", "1.1.1.2:2"}, [2][]string{{"7.7.7.7"}, {"7.7.7.7"}}, false},
		{"not from a proxy", proxies, [2]string{"1.1.1.1:1", "1.1.1.1:2"}, [2][]string{{"7.7.7.7"}, {"8.8.8.8"}}, true},
		{"two clients", proxies, [2]string{"10.0.0.1:1", "10.0.0.1:2"}, [2][]string{{"7.7.7.7"}, {"8.8.8.8"}}, false},
		{"two proxies, one client", proxies, [2]string{"10.0.0.1:1", "10.0.0.2:2"}, [2][]string{{"7.7.7.7"}, {"7.7.7.7"}}, true},
		{"the client's own word", proxies, [2]string{"10.0.0.1:1", "10.0.0.1:2"}, [2][]string{{"1.2.3.4, 7.7.7.7"}, {"5.6.7.8, 7.7.7.7"}}, true},
		{"the client's own line", proxies, [2]string{"10.0.0.1:1", "10.0.0.1:2"}, [2][]string{{"1.2.3.4", "7.7.7.7"}, {"5.6.7.8", "7.7.7.7"}}, true},
		{"a chain of proxies", proxies, [2]string{"10.0.0.1:1", "10.0.0.1:2"}, [2][]string{{"7.7.7.7, 10.0.0.9"}, {"8.8.8.8, 10.0.0.9"}}, false},
		{"ports", proxies, [2]string{"10.0.0.1:1", "10.0.0.1:2"}, [2][]string{{"7.7.7.7:80"}, {"7.7.7.7:81"}}, true},
		{"rubbish counts as the proxy", proxies, [2]string{"10.0.0.1:1", "10.0.0.1:2"}, [2][]string{{"unknown"}, {"_x"}}, true},
		{"mapped", proxies, [2]string{"[::ffff:10.0.0.1]:1", "10.0.0.1:2"}, [2][]string{{"::ffff:7.7.7.7"}, {"7.7.7.7"}}, true},
		{"one IPv6 network", proxies, [2]string{"[fd00::1]:1", "[fd00::1]:2"}, [2][]string{{"[2001:db8::1]:5"}, {"2001:db8::2"}}, true},
		{"two IPv6 networks", proxies, [2]string{"[fd00::1]:1", "[fd00::1]:2"}, [2][]string{{"2001:db8:0:1::1"}, {"2001:db8:0:2::1"}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				svc := newService(t, realtime.Options{PingInterval: -1, Limits: realtime.Limits{ConnectionsPerAddress: 1}})
				h := svc.Handler(realtime.HandlerOptions{TrustedProxies: test.trusted})
				request := func(i int) *http.Request {
					r := upgrading("/?token="+token(t, user(fmt.Sprint("u", i))), "Sec-WebSocket-Protocol", protocol)
					r.RemoteAddr, r.Header["X-Forwarded-For"] = test.remote[i], test.forwarded[i]
					return r
				}
				dialPipe(t, h, request(0)).wants("$connected")
				second := dialPipe(t, h, request(1))
				if test.sameClient {
					second.wantsRetry(4504, "address_limit")
				} else {
					second.wants("$connected")
				}
			})
		})
	}
}

// A client that goes on subscribing when it may not is closed with 4505, after
// it has been told often enough.
func TestTopicLimitIsEnforced(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		s := startOver(t, w, realtime.Options{Limits: realtime.Limits{Topics: 3}}, realtime.HandlerOptions{})
		c := s.dial(t, claims{"sub": "u1", "topics": []string{"*"}})
		for i := range 3 + 128 {
			c.send(fmt.Sprintf(`{"action":"subscribe","topic":"t%d","ref":%d}`, i, i))
			reply := c.read()
			if ok := reply["ok"] == true; ok != (i < 3) {
				t.Fatalf("subscription %d: %v", i, reply)
			}
		}
		c.send(`{"action":"subscribe","topic":"once more"}`)
		c.wantsClose(4505)
	})
}

// A client whose token has not come counts for its address, too.
func TestStrangersCountForTheirAddress(t *testing.T) {
	for _, evict := range []bool{false, true} {
		t.Run(fmt.Sprint("evict ", evict), func(t *testing.T) {
			opts := realtime.Options{PingInterval: -1, Limits: realtime.Limits{ConnectionsPerAddress: 2, EvictOldest: evict}}
			handler := realtime.HandlerOptions{TokenInMessage: true}
			inVirtualTime(t, opts, handler, func(t *testing.T, svc *realtime.Service, _ func(claims, ...string) *raw) {
				h := svc.Handler(handler)
				first, second := dialPipe(t, h, upgrading("/")), dialPipe(t, h, upgrading("/"))
				dialPipe(t, h, upgrading("/", "Sec-WebSocket-Protocol", protocol)).wantsRetry(4504, "address_limit")
				for _, c := range []*raw{first, second} {
					c.send(socket.OpText, connecting(token(t, user("u1"))))
					c.wants("$connected")
					time.Sleep(time.Second)
				}
				if evict {
					dialPipe(t, h, upgrading("/?token="+token(t, user("u2")))).wants("$connected")
					first.wantsClose(4504)
				}
				if err := svc.ConsistencyCheck(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
