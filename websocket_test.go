package realtime_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// ask makes a request to a handler that will not be upgraded.
func ask(t *testing.T, h http.Handler, r *http.Request) (status int, header http.Header, text string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Header(), strings.TrimSpace(w.Body.String())
}

// A client that offers our subprotocol gets it alone, never the token.
func TestSubprotocolIsAnsweredAlone(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	for offered, want := range map[string][]string{
		"chat": nil,
		"chat, " + wire.Subprotocol + ", bearer." + token(t, user("u1")): {wire.Subprotocol},
	} {
		r := upgrading(s.web.URL, "Sec-Websocket-Protocol", offered)
		if want == nil {
			r.Header.Set("Authorization", "Bearer "+token(t, user("u1")))
		}
		response := roundTrip(t, s, r)
		if response.StatusCode != 101 || !equal(response.Header["Sec-Websocket-Protocol"], want) {
			t.Errorf("%.12s: %d, subprotocol %q; want 101 and %q", offered, response.StatusCode, response.Header["Sec-Websocket-Protocol"], want)
		}
	}
}

func equal(a, b []string) bool { return strings.Join(a, "\n") == strings.Join(b, "\n") }

func roundTrip(t *testing.T, s *server, r *http.Request) *http.Response {
	t.Helper()
	r.RequestURI = ""
	response, err := s.web.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// decided is a verifier that has made up its mind.
func decided(id *realtime.Identity, err error) realtime.Verifier {
	return auth.VerifierFunc(func(context.Context, string) (*realtime.Identity, error) { return id, err })
}

// refusals are the ways in which an identity is refused. They hold for plain
// clients (status), for clients of the subprotocol (code), and for Connect.
var refusals = []struct {
	name     string
	verifier realtime.Verifier
	require  auth.Requirements
	status   int
	code     realtime.CloseCode
	reason   string // in the header Realtime-Error
	text     string
}{
	{"bad signature", decided(nil, &auth.Error{Reason: auth.ReasonSignature}), auth.Requirements{}, 401, 4500, "signature", "unauthorized: signature"},
	{"expired", decided(nil, auth.ErrExpired), auth.Requirements{}, 401, 4500, "expired", "unauthorized: expired"},
	{"plain unauthorized", decided(nil, realtime.ErrUnauthorized), auth.Requirements{}, 401, 4500, "other", "unauthorized: other"},
	{"no user id", decided(&realtime.Identity{}, nil), auth.Requirements{}, 401, 4500, "claims", "unauthorized: the identity's user id or roles cannot be used"},
	{"user id of 256 octets", decided(&realtime.Identity{UserID: strings.Repeat("u", 256)}, nil), auth.Requirements{}, 401, 4500, "claims", "unauthorized: the identity's user id or roles cannot be used"},
	{"role with a line end", decided(&realtime.Identity{UserID: "u", Roles: []string{"a\n"}}, nil), auth.Requirements{}, 401, 4500, "claims", "unauthorized: the identity's user id or roles cannot be used"},
	{"missing permission", decided(&realtime.Identity{UserID: "u"}, nil), auth.Requirements{Permissions: []string{"p"}}, 403, 4507, "permissions", "Missing required permissions"},
	{"missing role", decided(&realtime.Identity{UserID: "u"}, nil), auth.Requirements{Roles: []string{"r"}}, 403, 4507, "role", "Missing required role"},
	{"no keys yet", decided(nil, auth.ErrUnavailable), auth.Requirements{}, 503, 1013, "unavailable", "the token cannot be verified just now; try again"},
	{"verifier fails", decided(nil, errors.New("database password is hunter2")), auth.Requirements{}, 500, 1011, "internal", "internal error"},
	{"verifier fails with a nil pointer", decided(nil, (*auth.UnavailableError)(nil)), auth.Requirements{}, 500, 1011, "internal", "internal error"},
	{"nil pointer in an error", decided(nil, fmt.Errorf("keys: %w", (*auth.UnavailableError)(nil))), auth.Requirements{}, 503, 1013, "unavailable", "the token cannot be verified just now; try again"},
	{"nil refusal in an error", decided(nil, fmt.Errorf("token: %w", (*auth.Error)(nil))), auth.Requirements{}, 401, 4500, "other", "unauthorized: other"},
	{"verifier returns nothing", decided(nil, nil), auth.Requirements{}, 500, 1011, "internal", "internal error"},
	{"verifier panics", auth.VerifierFunc(func(context.Context, string) (*realtime.Identity, error) { panic("oops") }), auth.Requirements{}, 500, 1011, "internal", "internal error"},
}

// R6, D3, D4: a refused client learns why, before any 101.
func TestRefusalsOfPlainClients(t *testing.T) {
	t.Parallel()
	for _, c := range refusals {
		h := newService(t, realtime.Options{Verifier: c.verifier}).Handler(realtime.HandlerOptions{Require: c.require})
		status, header, text := ask(t, h, upgrading("/?token=x"))
		if status != c.status || text != c.text {
			t.Errorf("%s: %d %q, want %d %q", c.name, status, text, c.status, c.text)
		}
		if got := header.Get("Realtime-Error"); got != c.reason {
			t.Errorf("%s: the code is %q, want %q", c.name, got, c.reason)
		}
		if got := header.Get("Www-Authenticate"); (got == `Bearer error="invalid_token"`) != (c.status == 401) {
			t.Errorf("%s: Www-Authenticate %q", c.name, got)
		}
		if after, err := strconv.Atoi(header.Get("Retry-After")); (err == nil && after >= 1) != (c.status == 503) {
			t.Errorf("%s: Retry-After %q", c.name, header.Get("Retry-After"))
		}
	}
}

// An issuer that may be asked again in a while is waited for.
func TestRetryWhenKeysMayBeThere(t *testing.T) {
	t.Parallel()
	h := newService(t, realtime.Options{Verifier: decided(nil, &auth.UnavailableError{RetryAfter: 20 * time.Second})}).Handler(realtime.HandlerOptions{})
	status, header, _ := ask(t, h, upgrading("/?token=x"))
	if after := header.Get("Retry-After"); status != 503 || after != "20" && after != "21" {
		t.Errorf("status %d, Retry-After %q", status, after)
	}
	c := dialPipe(t, h, upgrading("/?token=x", "Sec-Websocket-Protocol", wire.Subprotocol))
	if delay := c.wantsRetry(1013, "unavailable"); delay < 20*time.Second || delay > 21*time.Second {
		t.Errorf("it may come back after %v", delay)
	}
}

// D3: a browser, which sees no status, learns why by a close code: never a
// normal close.
func TestRefusalsOfSubprotocolClients(t *testing.T) {
	t.Parallel()
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, realtime.Options{Verifier: c.verifier}, realtime.HandlerOptions{Require: c.require})
			client := dialRaw(t, s, upgrading("/?token=x", "Sec-Websocket-Protocol", wire.Subprotocol))
			wantsRefusal(t, client, c.code, c.text)
			if n := s.ConnectionCount(); n != 0 {
				t.Errorf("%d connections are registered", n)
			}
		})
	}
}

func TestSubprotocolClientWithoutToken(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	dialRaw(t, s, upgrading("/", "Sec-Websocket-Protocol", wire.Subprotocol)).wantsClose(4501)
	dialRaw(t, s, upgrading("/?token=a&token=b", "Sec-Websocket-Protocol", wire.Subprotocol)).wantsClose(4501)
}

// R6: Connect refuses as the handler does, with errors that can be told apart.
func TestConnectRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range refusals {
		svc := newService(t, realtime.Options{Verifier: c.verifier})
		conn, err := svc.Connect(t.Context(), &faulty{}, realtime.ConnectOptions{
			Token: "x", HandlerOptions: realtime.HandlerOptions{Require: c.require},
		})
		if conn != nil || err == nil {
			t.Errorf("%s: connected", c.name)
		}
		if wrong := errors.Is(err, realtime.ErrUnauthorized) || errors.Is(err, realtime.ErrInvalidTarget); wrong != (c.status == 401) {
			t.Errorf("%s: %v", c.name, err)
		}
		if n := svc.ConnectionCount(); n != 0 {
			t.Errorf("%s: %d connections are registered", c.name, n)
		}
	}
}

func TestServiceWithoutVerifierRefusesAll(t *testing.T) {
	t.Parallel()
	svc, err := realtime.New(realtime.Options{Log: discard()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = svc.Shutdown(doneContext()) }()
	status, _, text := ask(t, svc.Handler(realtime.HandlerOptions{}), upgrading("/?token=x"))
	if status != 500 || text != "internal error" {
		t.Errorf("%d %q, want 500", status, text)
	}
}

// R3: what is no WebSocket handshake is refused with a status that says what to do.
func TestHandshakeRefusals(t *testing.T) {
	t.Parallel()
	h := newService(t, realtime.Options{}).Handler(realtime.HandlerOptions{})
	good := "/?token=" + token(t, user("u1"))
	without := func(name string) *http.Request {
		r := upgrading(good)
		r.Header.Del(name)
		return r
	}
	post := upgrading(good)
	post.Method = http.MethodPost
	for _, c := range []struct {
		name   string
		r      *http.Request
		status int
		header string
		value  string
	}{
		{"POST", post, 405, "Allow", "GET"},
		{"no Upgrade", without("Upgrade"), 426, "Upgrade", "websocket"},
		{"other Upgrade", upgrading(good, "Upgrade", "h2c"), 426, "Upgrade", "websocket"},
		{"no Connection", without("Connection"), 426, "Upgrade", "websocket"},
		{"version 8", upgrading(good, "Sec-Websocket-Version", "8"), 426, "Sec-Websocket-Version", "13"},
		{"no key", without("Sec-Websocket-Key"), 400, "", ""},
		{"short key", upgrading(good, "Sec-Websocket-Key", "YWJj"), 400, "", ""},
	} {
		status, header, text := ask(t, h, c.r)
		if status != c.status || text == "" || c.header != "" && header.Get(c.header) != c.value {
			t.Errorf("%s: %d %q %v, want %d with %s: %s", c.name, status, text, header, c.status, c.header, c.value)
		}
	}
}

// Frames that came in the packet of the handshake are read, not lost.
func TestPipelinedFrames(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 2)
	s := start(t, realtime.Options{}, realtime.HandlerOptions{
		OnMessage: func(_ context.Context, _ *realtime.Conn, data []byte) { heard <- string(data) },
	})
	r := upgrading("/?token=" + token(t, user("u1")))
	c := newRaw(t, dialTCP(t, s))
	var packet strings.Builder
	_ = r.Write(&packet)
	frames := socket.AppendMaskedFrame([]byte(packet.String()), socket.OpText, []byte("first"), [4]byte{1})
	frames = socket.AppendMaskedFrame(frames, socket.OpText, []byte("second"), [4]byte{2})
	half := len(frames) - 3
	c.write(frames[:half])
	c.upgraded(r)
	c.wants("$connected")
	c.write(frames[half:])
	for _, want := range []string{"first", "second"} {
		if got := eventually(t, heard, want); got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
}

// hiding is what a middleware's ResponseWriter looks like that forgot Hijack.
type hiding struct{ http.ResponseWriter }

// unwrapping is one that did not.
type unwrapping struct{ http.ResponseWriter }

func (w unwrapping) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestMiddleware(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	target := "/?token=" + token(t, user("u1"))
	h := s.Handler(realtime.HandlerOptions{})
	hidden := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(hiding{w}, r) })
	status, _, text := ask(t, hidden, upgrading(target))
	if status != 500 || text != "this server cannot upgrade connections" || s.ConnectionCount() != 0 {
		t.Errorf("hidden: %d %q, %d connections", status, text, s.ConnectionCount())
	}
	if status, _, text := ask(t, hidden, upgrading("/", "Sec-WebSocket-Protocol", wire.Subprotocol)); status != 400 || !strings.Contains(text, "token") {
		t.Errorf("hidden, refused with a code: %d %q", status, text)
	}
	wrapped := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(unwrapping{w}, r) })
	dialPipe(t, wrapped, upgrading(target)).wants("$connected")
}

// The connection outlives the HTTP server's deadlines, and its handler.
func TestConnectionOutlivesTheRequest(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	h := svc.Handler(realtime.HandlerOptions{})
	returned := make(chan struct{})
	late := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = w.(*pipeWriter).conn.SetDeadline(time.Unix(1, 0))
		ctx, cancel := context.WithCancel(r.Context())
		h.ServeHTTP(w, r.WithContext(ctx))
		cancel()
		close(returned)
	})
	c := dialPipe(t, late, upgrading("/?token="+token(t, user("u1"))))
	c.wants("$connected")
	eventually(t, returned, "the handler's return")
	if _, err := svc.Broadcast(t.Context(), realtime.Message{Type: "late"}); err != nil {
		t.Fatal(err)
	}
	c.wants("late")
	c.send(socket.OpText, `{"action":"ping"}`)
	c.wants("$reply")
}

// D14: neither the token nor the email reaches a log, a refusal or a metric.
func TestSecretsStayOutOfLogs(t *testing.T) {
	t.Parallel()
	log := &journal{}
	s := start(t, realtime.Options{Log: log.logger()}, realtime.HandlerOptions{
		OnOpen:    func(context.Context, *realtime.Conn) error { return errors.New("no luck") },
		OnMessage: func(context.Context, *realtime.Conn, []byte) { panic("oops") },
	})
	good := token(t, claims{"sub": "u1", "email": "person@example.com"})
	forged := good[:len(good)-4] + "AAAA"
	c := dialRaw(t, s, upgrading("/?token="+good))
	c.wants("$connected")
	c.send(socket.OpText, "anything")
	c.wantsClose(1011)
	status, _, text := ask(t, s.Handler(realtime.HandlerOptions{}), upgrading("/?token="+forged))
	if status != 401 {
		t.Fatalf("a forged token: %d %s", status, text)
	}
	_ = s.Shutdown(t.Context())
	all := log.String() + text
	for _, secret := range []string{good, forged, good[:40], "person@example.com"} {
		if strings.Contains(all, secret) {
			t.Errorf("%.10s... was logged:\n%s", secret, all)
		}
	}
	for _, want := range []string{"OnOpen failed", "a callback panicked", "a connection was refused", "connection closed"} {
		if !strings.Contains(all, want) {
			t.Errorf("the log lacks %q:\n%s", want, all)
		}
	}
}

// A request that carries a body is no handshake: its octets would be frames.
func TestHandshakeWithBody(t *testing.T) {
	t.Parallel()
	h := newService(t, realtime.Options{}).Handler(realtime.HandlerOptions{})
	r := upgrading("/?token=" + token(t, user("u1")))
	r.Body, r.ContentLength = io.NopCloser(bufio.NewReader(strings.NewReader("x"))), 1
	if status, _, _ := ask(t, h, r); status != 400 {
		t.Errorf("status %d, want 400", status)
	}
}

// Messages that a client sends with its request, or with the token that is its first
// message, all arrive, and in order: also those that its handler is behind with.
func TestMessagesBehindTheHandshake(t *testing.T) {
	t.Parallel()
	for _, w := range []way{overTCP, overTLS} {
		for _, first := range []bool{false, true} {
			for _, count := range []int{200, 1000} {
				t.Run(fmt.Sprintf("%s, token in a message %t, %d messages", w.name, first, count), func(t *testing.T) {
					t.Parallel()
					testBehindTheHandshake(t, w, first, count)
				})
			}
		}
	}
}

func testBehindTheHandshake(t *testing.T, w way, first bool, count int) {
	got := make(chan string, count)
	closed := make(chan realtime.CloseCode, 1)
	opened, read := make(chan struct{}), make(chan struct{})
	s := startOver(t, w, realtime.Options{Limits: realtime.Limits{MessageRate: -1}}, realtime.HandlerOptions{
		TokenInMessage: first,
		OnOpen:         func(context.Context, *realtime.Conn) error { close(opened); return nil },
		OnMessage: func(_ context.Context, _ *realtime.Conn, data []byte) {
			<-read
			got <- string(data)
		},
		OnClose: func(_ context.Context, _ *realtime.Conn, code realtime.CloseCode, _ string) { closed <- code },
	})
	var messages bytes.Buffer
	for i := range count {
		messages.Write(maskedFrame(socket.OpText, fmt.Sprint(i)))
	}
	messages.Write(maskedFrame(socket.OpClose, "\x03\xe8"))

	var c *raw
	if first {
		c = dialOver(t, s, upgrading("/"))
		c.write(append(maskedFrame(socket.OpText, connecting(token(t, user("u1")))), messages.Bytes()...))
	} else {
		r := upgrading("/?token=" + token(t, user("u1")))
		var request bytes.Buffer
		if err := r.Write(&request); err != nil {
			t.Fatal(err)
		}
		c = dialOnly(t, s)
		c.write(append(request.Bytes(), messages.Bytes()...))
		c.upgraded(r)
	}
	eventually(t, opened, "OnOpen")
	close(read)
	if code := eventually(t, closed, "OnClose"); code != wire.CloseNormal {
		t.Errorf("closed with %d", code)
	}
	close(got)
	next := 0
	for text := range got {
		if text != fmt.Sprint(next) {
			t.Fatalf("got %q, want message %d", text, next)
		}
		next++
	}
	if next != count {
		t.Errorf("%d of %d messages arrived", next, count)
	}
}
