package realtime_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/loglimit"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/realtimetest"
	"boundary-app.org/realtime/wire"
)

// jsonLogger logs what an operator sees by default.
func (j *journal) jsonLogger() *slog.Logger { return slog.New(slog.NewJSONHandler(j, nil)) }

// refusedLines returns the lines of a JSON log about refused connections.
func refusedLines(t *testing.T, j *journal) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(j.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if m["msg"] == "a connection was refused" {
			lines = append(lines, m)
		}
	}
	return lines
}

// wantsLine checks the one refusal that was logged.
func wantsLine(t *testing.T, j *journal, want map[string]any) {
	t.Helper()
	lines := refusedLines(t, j)
	if len(lines) != 1 {
		t.Fatalf("%d refusals are logged: %s", len(lines), j)
	}
	line := lines[0]
	for name, value := range want {
		if got := line[name]; got != value && fmt.Sprint(got) != fmt.Sprint(value) {
			t.Errorf("%s is %v, want %v", name, got, value)
		}
	}
	if _, known := line["user"]; known != (want["user"] != nil) {
		t.Errorf("the user is %v", line["user"])
	}
	if line["level"] != "INFO" || line["detail"] == "" || line["address"] == nil {
		t.Errorf("the line is %v", line)
	}
}

// refusedRequests are requests that are refused, and what an operator then sees of
// the cause; the code is that for clients of the subprotocol, and 0 where they get
// the status too.
var refusedRequests = []struct {
	name   string
	claims claims // of the token; nil: there is none
	header []string
	status int
	code   realtime.CloseCode
	line   map[string]any
}{
	{
		"foreign origin", user("u1"),
		[]string{"Origin", "https://evil.net"},
		403, 0,
		map[string]any{
			"reason": "origin", "origin": "https://evil.net", "expected": []string{"http://example.com", "https://listed.example.com"},
			"detail": "if its pages may connect, list it in allowed_origins (AllowedOrigins)",
		},
	},
	{"no token", nil, nil, 400, 4501, map[string]any{"reason": "missing", "detail": "Missing token query parameter, or header Authorization: Bearer <token>, or subprotocol bearer.<token>"}},
	{"two tokens", user("u1"), []string{"Authorization", "Bearer x"}, 400, 4501, map[string]any{"reason": "two_credentials"}},
	{"exp is no date", claims{"sub": "u1", "exp": "soon"}, nil, 401, 4500, map[string]any{"reason": "claims_exp"}},
	{"no user", claims{"name": "u1"}, nil, 401, 4500, map[string]any{"reason": "subject"}},
	{"revoked", user("gone", "editor"), nil, 401, 4500, map[string]any{"reason": "revoked", "user": "gone"}},
	{
		"no role", user("u1", "guest"), nil, 403, 4507,
		map[string]any{"reason": "role", "user": "u1", "detail": `the user has none of the roles ["editor" "admin"], of which one is required`},
	},
	{"too many", user("many", "editor"), nil, 429, 4504, map[string]any{"reason": "user_limit", "user": "many"}},
}

// A refusal is logged at info with its reason, the precise cause, the client's
// address as the proxies see it, and the user once known.
func TestRefusalsAreLogged(t *testing.T) {
	t.Parallel()
	for _, c := range refusedRequests {
		for _, offered := range []string{"", wire.Subprotocol} {
			t.Run(c.name+" "+offered, func(t *testing.T) {
				t.Parallel()
				log := &journal{}
				svc := newService(t, realtime.Options{Log: log.jsonLogger(), Limits: realtime.Limits{ConnectionsPerUser: 1, RejectNewest: true}})
				connect(t, svc, "many")
				if _, err := svc.Revoke(t.Context(), realtime.Revocation{User: "gone"}); err != nil {
					t.Fatal(err)
				}
				h := svc.Handler(realtime.HandlerOptions{
					AllowedOrigins: []string{"https://listed.example.com"},
					TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
					Require:        auth.Requirements{Roles: []string{"editor", "admin"}},
				})
				target := "/"
				if c.claims != nil {
					target += "?token=" + token(t, c.claims)
				}
				r := upgrading(target, append(c.header, "X-Forwarded-For", "203.0.113.7")...)
				want := map[string]any{"address": "203.0.113.7"}
				for name, value := range c.line {
					want[name] = value
				}
				if offered != "" && c.code != 0 {
					r.Header.Set("Sec-Websocket-Protocol", offered)
					want["code"] = int(c.code)
					client := dialPipe(t, h, r)
					for client.next().Kind != socket.Close {
					}
				} else {
					want["status"] = c.status
					if status, _, text := ask(t, h, r); status != c.status {
						t.Errorf("status %d %q, want %d", status, text, c.status)
					}
				}
				wantsLine(t, log, want)
				if text := log.String(); c.claims != nil && strings.Contains(text, token(t, c.claims)[40:]) {
					t.Errorf("the log shows the token: %s", text)
				}
			})
		}
	}
}

// connect connects a user through a transport.
func connect(t *testing.T, svc *realtime.Service, user string) {
	t.Helper()
	if _, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: &realtime.Identity{UserID: user}}); err != nil {
		t.Fatal(err)
	}
}

// What is refused behind the upgrade is logged as well.
func TestRefusedFirstMessagesAreLogged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		frames []byte
		line   map[string]any
	}{
		"bad token":      {masked(nil, socket.OpText, connecting("x")), map[string]any{"reason": "malformed", "code": 4500}},
		"another text":   {masked(nil, socket.OpText, "secret"), map[string]any{"reason": "first_message", "code": 4501, "detail": askForToken}},
		"silence":        {nil, map[string]any{"reason": "first_message_late", "code": 4501}},
		"a broken frame": {[]byte{0xff, 0xff}, map[string]any{"reason": "first_message", "code": 1002}},
		"a close":        {masked(nil, socket.OpClose, ""), map[string]any{"reason": "left", "code": 1005, "detail": "the client closed the connection before its first message"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log := &journal{}
				svc := newService(t, realtime.Options{Log: log.jsonLogger()})
				client := dialPipe(t, svc.Handler(inMessage), upgrading("/"))
				if c.frames != nil {
					client.write(c.frames)
				}
				for client.next().Kind != socket.Close {
				}
				_ = client.Conn.Close()
				synctest.Wait()
				c.line["address"] = "192.0.2.1"
				wantsLine(t, log, c.line)
				if strings.Contains(log.String(), "secret") {
					t.Errorf("the log shows what the client sent: %s", log)
				}
			})
		})
	}
}

// A flood of refusals fills no disk, and hides no refusal of another reason.
func TestRefusalLogIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const flood = 500
		log := &journal{}
		svc := newService(t, realtime.Options{Log: log.jsonLogger()})
		h := svc.Handler(realtime.HandlerOptions{})
		for range flood {
			ask(t, h, upgrading("/?token=x"))
		}
		ask(t, h, upgrading("/?token=x", "Origin", "null"))
		wait := time.NewTimer(time.Second)
		<-wait.C
		ask(t, h, upgrading("/?token=x"))
		lines := refusedLines(t, log)
		ofOrigin := slices.IndexFunc(lines, func(line map[string]any) bool { return line["reason"] == "origin" })
		if len(lines) != loglimit.Burst+2 || ofOrigin != loglimit.Burst {
			t.Fatalf("%d lines, that of the origin at %d", len(lines), ofOrigin)
		}
		if last := lines[len(lines)-1]; last["suppressed"] != float64(flood-loglimit.Burst) {
			t.Errorf("the last line is %v", last)
		}
		if n := metric(t, svc, "realtime_refusals_total"); n != flood+2 {
			t.Errorf("%v refusals are counted", n)
		}
	})
}

// Lines about a connection that cannot be taken over are limited, too.
func TestHijackLogIsLimited(t *testing.T) {
	t.Parallel()
	log := &journal{}
	h := newService(t, realtime.Options{Log: log.jsonLogger()}).Handler(inMessage)
	hidden := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(hiding{w}, r) })
	for range 500 {
		ask(t, hidden, upgrading("/"))
	}
	if n := strings.Count(log.String(), "hide http.Hijacker"); n < loglimit.Burst || n > loglimit.Burst+10 {
		t.Errorf("%d lines", n)
	}
}

// A client that finds out how to make a callback panic fills no disk with stacks.
func TestPanicLogIsLimited(t *testing.T) {
	t.Parallel()
	log := &journal{}
	svc := newService(t, realtime.Options{Log: log.jsonLogger(), Verifier: exploding{}})
	h := svc.Handler(realtime.HandlerOptions{})
	const panics = 200
	for range panics {
		ask(t, h, upgrading("/?token=x"))
	}
	for _, line := range []string{"a callback panicked", "a token could not be verified", "a connection was refused"} {
		if n := strings.Count(log.String(), line); n < loglimit.Burst || n > loglimit.Burst+10 {
			t.Errorf("%s: %d lines", line, n)
		}
	}
	if n := metric(t, svc, "realtime_callback_panics_total"); n != panics {
		t.Errorf("%v panics are counted", n)
	}
}

// Lines about commands that are refused are limited in rate, also at debug.
func TestRefusedCommandsAreLoggedAtARate(t *testing.T) {
	t.Parallel()
	log := &journal{}
	s := start(t, realtime.Options{Log: log.logger()}, realtime.HandlerOptions{})
	c := s.dial(t, user("u1"))
	for range 200 {
		for _, command := range []string{`{"action":"subscribe","topic":"t"}`, `{"action":"refresh","token":"x"}`} {
			c.send(command)
			if reply := c.read(); reply["ok"] != false {
				t.Fatalf("%s: %v", command, reply)
			}
		}
	}
	for _, line := range []string{"a subscription was denied", "a refresh was refused"} {
		if n := strings.Count(log.String(), line); n < loglimit.Burst || n > loglimit.Burst+10 {
			t.Errorf("%s: %d lines", line, n)
		}
	}
}

// exploding is a Verifier that panics.
type exploding struct{}

func (exploding) Verify(context.Context, string) (*realtime.Identity, error) { panic("boom") }

// closeLines returns the lines of a JSON log about connections closed for what
// their clients did.
func closeLines(t *testing.T, j *journal) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(j.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if m["msg"] == "a connection was closed for what its client did" {
			lines = append(lines, m)
		}
	}
	return lines
}

// offences are ways to be closed; code 0: nothing of it is for the operator.
var offences = []struct {
	name   string
	offend func(t *testing.T, svc *realtime.Service, c *raw)
	code   int
}{
	{"a broken frame", func(_ *testing.T, _ *realtime.Service, c *raw) { c.write([]byte{0x83, 0x80, 0, 0, 0, 0}) }, 1002},
	{"bad UTF-8", func(_ *testing.T, _ *realtime.Service, c *raw) { c.send(socket.OpText, "\xff") }, 1007},
	{"too large", func(_ *testing.T, _ *realtime.Service, c *raw) { c.send(socket.OpText, strings.Repeat("x", 1001)) }, 1009},
	{"too slow", func(t *testing.T, svc *realtime.Service, _ *raw) {
		for i := range 20 {
			publishNumber(t, svc, realtime.Everyone(), i)
			synctest.Wait()
		}
	}, 4008},
	{"too many messages", func(_ *testing.T, _ *realtime.Service, c *raw) {
		for range 6 {
			c.send(socket.OpText, "x")
		}
	}, 4013},
	{"a close of its own", func(_ *testing.T, _ *realtime.Service, c *raw) { c.send(socket.OpClose, "\x0f\xadsecret") }, 0},
	{"no pong", func(*testing.T, *realtime.Service, *raw) {}, 0},
}

// An operator sees at info whom the server has closed for what they did, and why.
func TestOffencesAreLogged(t *testing.T) {
	t.Parallel()
	for _, o := range offences {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log := &journal{}
				svc := newService(t, realtime.Options{Log: log.jsonLogger(), Limits: realtime.Limits{
					MessageSize: 1000, Backlog: 4 << 10, MessageRate: 10, MessageBurst: 5,
				}})
				client := dialPipe(t, svc.Handler(realtime.HandlerOptions{}), upgrading("/?token="+token(t, user("u1"))))
				client.wants("$connected")
				id := svc.Connections(realtime.Everyone())[0].ID()
				o.offend(t, svc, client)
				for client.next().Kind != socket.Close {
				}
				_ = client.Conn.Close()
				synctest.Wait()
				lines := closeLines(t, log)
				if o.code == 0 {
					if len(lines) > 0 || strings.Contains(log.String(), "secret") {
						t.Errorf("the log is %s", log)
					}
					return
				}
				if len(lines) != 1 {
					t.Fatalf("%d lines: %s", len(lines), log)
				}
				line := lines[0]
				if fmt.Sprint(line["code"]) != fmt.Sprint(o.code) || line["level"] != "INFO" || line["user"] != "u1" || line["connection"] != id || line["reason"] == "" {
					t.Errorf("the line is %v", line)
				}
			})
		})
	}
}

// Clients that break a limit again and again fill no disk.
func TestOffenceLogIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &journal{}
		svc := newService(t, realtime.Options{Log: log.jsonLogger()})
		for range loglimit.Burst + 10 {
			id := &auth.Identity{UserID: "u1"}
			c, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id})
			if err != nil {
				t.Fatal(err)
			}
			c.Close(1009, "too large for this transport")
		}
		synctest.Wait()
		if lines := closeLines(t, log); len(lines) != loglimit.Burst {
			t.Errorf("%d lines, want %d", len(lines), loglimit.Burst)
		}
	})
}
