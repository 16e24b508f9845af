package realtime_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/realtimetest"
	"boundary-app.org/realtime/wire"
)

// R1, R2, D1: the token parameter is the one that was configured.
func TestTokenParameter(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	good := token(t, user("u1"))
	for _, c := range []struct {
		name, param, query string
		status             int
		text               string
	}{
		{"missing", "", "", 400, "Missing token query parameter"},
		{"missing, custom", "jwt", "", 400, "Missing jwt query parameter"},
		{"custom, under the usual name", "jwt", "token=" + good, 400, "Missing jwt query parameter"},
		{"empty is not missing", "", "token=", 401, "unauthorized: missing"},
		{"empty is not missing, custom", "jwt", "jwt=", 401, "unauthorized: missing"},
		{"not a token", "", "token=a", 401, "unauthorized: malformed"},
		{"twice", "", "token=" + good + "&token=" + good, 400, auth.ErrTwoCredentials.Error()},
	} {
		h := svc.Handler(realtime.HandlerOptions{TokenParam: c.param})
		status, _, text := ask(t, h, upgrading("/ws?"+c.query))
		if status != c.status || text != c.text {
			t.Errorf("%s: %d %q, want %d %q", c.name, status, text, c.status, c.text)
		}
	}
	s := start(t, realtime.Options{}, realtime.HandlerOptions{TokenParam: "jwt"})
	dialRaw(t, s, upgrading("/?jwt="+good)).wants("$connected")
}

// R2: a plain GET that forgot its token is told so, whatever else is wrong.
func TestPlainRequestWithoutToken(t *testing.T) {
	t.Parallel()
	h := newService(t, realtime.Options{}).Handler(realtime.HandlerOptions{})
	status, _, text := ask(t, h, httptest.NewRequest(http.MethodGet, "/ws", nil))
	if status != 400 || text != "Missing token query parameter" {
		t.Errorf("%d %q", status, text)
	}
}

// A client of the subprotocol learns all places that count.
func TestTypedRequestWithoutToken(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	for _, c := range []struct {
		sources []realtime.TokenSource
		want    string
	}{
		{nil, "Missing token query parameter, or header Authorization: Bearer <token>, or subprotocol bearer.<token>"},
		{[]realtime.TokenSource{realtime.TokenInQuery, realtime.TokenInSubprotocol}, "Missing token query parameter, or subprotocol bearer.<token>"},
		{[]realtime.TokenSource{realtime.TokenInQuery}, "Missing token query parameter"},
	} {
		client := dialPipe(t, svc.Handler(realtime.HandlerOptions{TokenSources: c.sources}), upgrading("/", "Sec-Websocket-Protocol", wire.Subprotocol))
		event := client.next()
		if event.Kind != socket.Close || event.Code != uint16(wire.CloseBadRequest) || string(event.Data) != c.want {
			t.Errorf("%v: kind %d, code %d %q, want %q", c.sources, event.Kind, event.Code, event.Data, c.want)
		}
		_ = client.Conn.Close()
	}
}

// R3, R14: where a request may carry its token.
func TestCredentialPlaces(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	good := token(t, user("u1"))
	protocol := "Sec-Websocket-Protocol"
	for _, c := range []struct {
		name string
		r    *http.Request
	}{
		{"query", upgrading("/?token=" + good)},
		{"header", upgrading("/", "Authorization", "Bearer "+good)},
		{"subprotocol", upgrading("/", protocol, wire.Subprotocol+", bearer."+good)},
		{"subprotocol, bare", upgrading("/", protocol, wire.Subprotocol+", "+good)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dialRaw(t, s, c.r).wants("$connected")
		})
	}
	status, _, _ := ask(t, s.Handler(realtime.HandlerOptions{}),
		upgrading("/?token="+good, "Authorization", "Bearer "+good))
	if status != 400 {
		t.Errorf("two credentials: %d, want 400", status)
	}
}

// Where the operator lists the places that count, a proxy's own Authorization is no
// second credential.
func TestTokenSources(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{TokenSources: []realtime.TokenSource{realtime.TokenInSubprotocol, realtime.TokenInQuery}})
	good := token(t, user("u1"))
	for _, offered := range []string{wire.Subprotocol + ", bearer." + good, wire.Subprotocol} {
		target := "/"
		if offered == wire.Subprotocol {
			target += "?token=" + good
		}
		dialRaw(t, s, upgrading(target, "Authorization", "Bearer proxy", "Sec-Websocket-Protocol", offered)).wants("$connected")
	}
	dialRaw(t, s, upgrading("/?token="+good, "Authorization", "Bearer proxy")).wants("$connected")
	dialRaw(t, s, upgrading("/", "Authorization", "Bearer "+good, "Sec-Websocket-Protocol", wire.Subprotocol)).wantsClose(4501)
	for name, c := range map[string]struct {
		sources []realtime.TokenSource
		want    string
	}{
		"query":       {[]realtime.TokenSource{realtime.TokenInHeader, realtime.TokenInQuery}, "Missing token query parameter"},
		"subprotocol": {[]realtime.TokenSource{realtime.TokenInHeader, realtime.TokenInSubprotocol}, "Missing token: offer the subprotocols boundary.realtime.v1, bearer.<token>"},
		"header":      {[]realtime.TokenSource{realtime.TokenInHeader}, "Missing token: send the header Authorization: Bearer <token>"},
	} {
		if status, _, text := ask(t, s.Handler(realtime.HandlerOptions{TokenSources: c.sources}), upgrading("/")); status != 400 || text != c.want {
			t.Errorf("%s: %d %q, want %q", name, status, text, c.want)
		}
	}
}

// A mistake in the list is logged, and no token counts.
func TestUnknownTokenSource(t *testing.T) {
	t.Parallel()
	log := &journal{}
	h := newService(t, realtime.Options{Log: log.logger()}).Handler(realtime.HandlerOptions{TokenSources: []realtime.TokenSource{"cookie"}})
	if status, _, _ := ask(t, h, upgrading("/?token="+token(t, user("u1")))); status != 400 || !strings.Contains(log.String(), "cookie") {
		t.Errorf("status %d, logged %s", status, log)
	}
}

// A token among the subprotocols that comes without ours is no token: the answer
// says what to offer.
func TestTokenWithoutTheSubprotocol(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	good := token(t, user("u1"))
	for _, offered := range []string{"bearer." + good, "chat, bearer." + good, "Boundary.Realtime.V1,bearer." + good} {
		for _, inMessage := range []bool{false, true} {
			h := svc.Handler(realtime.HandlerOptions{TokenInMessage: inMessage})
			status, _, text := ask(t, h, upgrading("/", "Sec-Websocket-Protocol", offered))
			if status != 400 || !strings.Contains(text, "offer both: boundary.realtime.v1, bearer.<token>") {
				t.Errorf("%.12s: %d %q", offered, status, text)
			}
		}
	}
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	dialRaw(t, s, upgrading("/?token="+good, "Sec-Websocket-Protocol", "bearer.x")).wants("$connected")
}

// R15: a connection keeps all of its identity, and gives out copies.
func TestIdentityIsKept(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	at := time.Now().Truncate(time.Millisecond)
	long := strings.Repeat("ü", 127)
	for name, id := range map[string]realtime.Identity{
		"little": {UserID: "u1"},
		"all": {
			UserID: long, Roles: []string{"a", long, "b"}, Permissions: []string{"read", "write"}, Topics: []string{"order:*"},
			Email: "person@example.com", TokenID: "t1", ExpiresAt: at.Add(time.Hour), IssuedAt: at.Add(-100 * 365 * 24 * time.Hour),
			Claims: json.RawMessage(`{"sub":"u1","deep":{"a":[1]}}`),
		},
	} {
		c, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: &id})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&id, c.Identity()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if c.UserID() != id.UserID || !equal(c.Roles(), id.Roles) {
			t.Errorf("%s: user %q, roles %q", name, c.UserID(), c.Roles())
		}
		c.Identity().UserID = "changed"
		if c.Identity().UserID != id.UserID {
			t.Errorf("%s: a copy is the original", name)
		}
	}
}

// A listed network of IPv4 means the same however it is written; a request without
// an address counts with all others that have none.
func TestSourcesOfRequests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trusted    string
		remote     [2]string
		forwarded  [2]string
		sameClient bool
	}{
		"plain network":        {"10.0.0.0/8", [2]string{"10.0.0.1:1", "[::ffff:10.0.0.1]:1"}, [2]string{"7.7.7.7", "8.8.8.8"}, false},
		"mapped network":       {"::ffff:10.0.0.0/104", [2]string{"10.0.0.1:1", "[::ffff:10.0.0.1]:1"}, [2]string{"7.7.7.7", "8.8.8.8"}, false},
		"mapped, one client":   {"::ffff:10.0.0.0/104", [2]string{"10.0.0.1:1", "10.0.0.2:1"}, [2]string{"7.7.7.7", "7.7.7.7"}, true},
		"mapped address":       {"::ffff:10.0.0.1/128", [2]string{"10.0.0.1:1", "10.0.0.1:2"}, [2]string{"7.7.7.7", "8.8.8.8"}, false},
		"mapped, not listed":   {"::ffff:10.0.0.1/128", [2]string{"10.0.0.2:1", "10.0.0.2:2"}, [2]string{"7.7.7.7", "8.8.8.8"}, true},
		"all of IPv4, mapped":  {"::ffff:0:0/96", [2]string{"1.2.3.4:1", "1.2.3.4:2"}, [2]string{"7.7.7.7", "8.8.8.8"}, false},
		"Unix sockets":         {"10.0.0.0/8", [2]string{"@", ""}, [2]string{"7.7.7.7", "8.8.8.8"}, true},
		"Unix socket and TCP":  {"10.0.0.0/8", [2]string{"@", "1.2.3.4:1"}, [2]string{"", ""}, false},
		"zones of one network": {"10.0.0.0/8", [2]string{"[fe80::1%eth0]:1", "[fe80::1%eth1]:1"}, [2]string{"", ""}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				svc := newService(t, realtime.Options{PingInterval: -1, Limits: realtime.Limits{ConnectionsPerAddress: 1}})
				h := svc.Handler(realtime.HandlerOptions{TrustedProxies: []netip.Prefix{netip.MustParsePrefix(c.trusted)}})
				var clients []*raw
				for i := range 2 {
					r := upgrading("/?token="+token(t, user("u1")), "Sec-WebSocket-Protocol", protocol)
					r.RemoteAddr = c.remote[i]
					if c.forwarded[i] != "" {
						r.Header.Set("X-Forwarded-For", c.forwarded[i])
					}
					clients = append(clients, dialPipe(t, h, r))
				}
				clients[0].wants("$connected")
				if c.sameClient {
					clients[1].wantsRetry(4504, "address_limit")
				} else {
					clients[1].wants("$connected")
				}
			})
		})
	}
}

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
