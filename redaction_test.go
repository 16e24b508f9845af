package realtime_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/leaks"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// witness sees everything that comes out of a service: its log, and what it
// answers to whom.
type witness struct {
	t       *testing.T
	s       *server
	secrets leaks.Secrets
	log     *journal
	shown   bytes.Buffer // to anybody
	trusted bytes.Buffer // to who has the API key
}

// visit makes a request, sends messages where it is upgraded, and reads to the end.
func (w *witness) visit(r *http.Request, messages ...string) (status int) {
	w.t.Helper()
	c := newRaw(w.t, dialTCP(w.t, w.s))
	c.input = bufio.NewReader(io.TeeReader(c.Conn, &w.shown))
	if err := r.Write(c); err != nil {
		w.t.Fatal(err)
	}
	response, err := http.ReadResponse(c.input, r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		_, _ = io.Copy(io.Discard, response.Body)
		return response.StatusCode
	}
	for _, message := range messages {
		c.send(socket.OpText, message)
	}
	for c.next().Kind != socket.Close {
	}
	_ = c.Conn.Close()
	return response.StatusCode
}

const panicName = "panic"

// panickyOptions panic in every callback that can be made to.
func panickyOptions() realtime.HandlerOptions {
	return realtime.HandlerOptions{
		TokenInMessage: true,
		OnOpen: func(_ context.Context, c *realtime.Conn) error {
			if c.UserID() == panicName {
				panic("OnOpen")
			}
			return errors.New("no luck")
		},
		OnMessage: func(context.Context, *realtime.Conn, []byte) { panic("OnMessage") },
		OnClose:   func(context.Context, *realtime.Conn, realtime.CloseCode, string) { panic("OnClose") },
		AuthorizeTopic: func(_ context.Context, _ *realtime.Conn, topic string) error {
			if topic == panicName {
				panic("AuthorizeTopic")
			}
			return errors.New("no")
		},
	}
}

// panickyVerifier panics with good tokens of one user.
func panickyVerifier(t *testing.T) realtime.Verifier {
	inner, err := auth.New(auth.Options{HMACSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	return auth.VerifierFunc(func(ctx context.Context, token string) (*realtime.Identity, error) {
		id, err := inner.Verify(ctx, token)
		if err == nil && id.UserID == "verifier" {
			panic("Verifier")
		}
		return id, err
	})
}

// newWitness starts a service that logs everything, and its HTTP server too.
func newWitness(t *testing.T) *witness {
	log := new(journal)
	opts := panickyOptions()
	s := &server{Service: newService(t, realtime.Options{Log: log.logger(), Verifier: panickyVerifier(t)}), handler: opts, way: overTCP}
	s.web = httptest.NewUnstartedServer(s.Handler(opts))
	s.web.Config.ErrorLog = slog.NewLogLogger(log.logger().Handler(), slog.LevelError)
	s.web.Start()
	t.Cleanup(s.web.Close)
	secrets := leaks.Secrets{"secret": string(secret), "email": "person@mail.example", "API key": "an-api-key-that-nobody-shows"}
	return &witness{t: t, s: s, log: log, secrets: secrets}
}

// waysIn are requests that bring a token, each in its own way; the messages
// are sent after the upgrade.
func waysIn(token string) map[string]func() (r *http.Request, messages []string) {
	const protocols = "Sec-Websocket-Protocol"
	way := func(target string, header ...string) func() (*http.Request, []string) {
		return func() (*http.Request, []string) { return upgrading(target, header...), nil }
	}
	return map[string]func() (*http.Request, []string){
		"query":                 way("/?token=" + url.QueryEscape(token)),
		"query and subprotocol": way("/?token="+url.QueryEscape(token), protocols, wire.Subprotocol),
		"header":                way("/", "Authorization", "Bearer "+token),
		"subprotocol":           way("/", protocols, wire.Subprotocol+", bearer."+token),
		"bare subprotocol":      way("/", protocols, wire.Subprotocol+", "+token),
		"message": func() (*http.Request, []string) {
			return upgrading("/"), []string{`{"action":"connect","token":"` + token + `"}`}
		},
	}
}

// D14: neither a token, however it comes and whatever becomes of it, nor the
// secret, an API key or an email reaches a log, a stack, an answer, a close
// frame or a metric. The exception is the email, which the API's callers may see.
func TestNothingSecretShows(t *testing.T) {
	t.Parallel()
	w := newWitness(t)
	good := w.mint("good", user("u1"))
	stop, err := w.s.OnTopic("news", func(context.Context, realtime.Message) error { panic("a listener") })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	w.goodTokens(good)
	w.badTokens(good)
	w.oddRequests(good)
	w.panics()
	w.calls(good)
	_ = w.s.Shutdown(doneContext())

	w.wantsToHaveSeen()
	if found := w.secrets.ShownIn(w.log.String()); len(found) > 0 {
		t.Errorf("the log shows %q", found)
	}
	if found := w.secrets.ShownIn(w.shown.String()); len(found) > 0 {
		t.Errorf("the answers show %q", found)
	}
	if found := w.secrets.ShownIn(w.trusted.String()); len(found) == 0 || slices.ContainsFunc(found, func(name string) bool { return name != "email" }) {
		t.Errorf("the answers to the API's callers show %q, want the email alone", found)
	}
}

// mint makes a token whose claims are secret too.
func (w *witness) mint(name string, c claims) string {
	w.t.Helper()
	c["email"] = w.secrets["email"]
	text := token(w.t, c)
	w.secrets.AddToken(name, text)
	return text
}

func (w *witness) goodTokens(good string) {
	w.t.Helper()
	afterwards := []string{
		`{"action":"subscribe","topic":"panic"}`, `{"action":"subscribe","topic":"order:1"}`, `{"action":"fly"}`, `{"action"`,
		`{"action":"connect","token":"` + good + `"}`, "for the application, which panics",
	}
	for name, way := range waysIn(good) {
		r, messages := way()
		if status := w.visit(r, append(messages, afterwards...)...); status != http.StatusSwitchingProtocols {
			w.t.Errorf("a good token by %s: %d", name, status)
		}
	}
}

func (w *witness) badTokens(good string) {
	w.t.Helper()
	forged := good[:len(good)-40] + strings.Repeat("ForgedSignature-", 3)[:39] + "A"
	w.secrets.AddToken("forged", forged)
	if _, err := w.s.Revoke(w.t.Context(), realtime.Revocation{User: "gone"}); err != nil {
		w.t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"forged":           forged,
		"expired":          w.mint("expired", claims{"sub": "u1", "exp": time.Now().Add(-time.Hour).Unix()}),
		"revoked":          w.mint("revoked", claims{"sub": "gone"}),
		"without sub":      w.mint("without sub", claims{"name": "u1"}),
		"cut":              good[:len(good)-10],
		"oversize":         w.mint("oversize", claims{"sub": "u1", "padding": strings.Repeat("padding-", 1200)}),
		"verifier panics":  w.mint("verifier panics", user("verifier")),
		"with another key": "eyJhbGciOiJSUzI1NiIsImtpZCI6Im5ldyJ9." + strings.SplitN(good, ".", 2)[1],
	} {
		for way, request := range waysIn(bad) {
			r, messages := request()
			if status := w.visit(r, messages...); status < 400 && status != http.StatusSwitchingProtocols {
				w.t.Errorf("%s, by %s: %d", name, way, status)
			}
		}
	}
}

// oddRequests have a good token, in a wrong place or beside something wrong.
func (w *witness) oddRequests(good string) {
	w.t.Helper()
	const protocols = "Sec-Websocket-Protocol"
	for name, r := range map[string]*http.Request{
		"two in the query":     upgrading("/?token=" + good + "&token=" + good),
		"query and header":     upgrading("/?token="+good, "Authorization", "Bearer "+good),
		"query, not encoded":   upgrading("/?token=" + good + "%zz"),
		"semicolon":            upgrading("/?a=1;token=" + good),
		"another scheme":       upgrading("/?x="+good, "Authorization", "Basic "+good, protocols, wire.Subprotocol+"/"+good),
		"no handshake":         httptest.NewRequest(http.MethodGet, "/?token="+good, nil),
		"another method":       httptest.NewRequest(http.MethodDelete, "/?token="+good, nil),
		"another origin":       upgrading("/?token="+good, "Origin", "https://evil.example"),
		"origin with a token":  upgrading("/?token="+good, "Origin", "https://evil.example/?token="+good),
		"origin, fragment":     upgrading("/?token="+good, "Origin", "https://evil.example#"+good),
		"origin, user":         upgrading("/?token="+good, "Origin", "https://"+good+"@evil.example"),
		"origin, host":         upgrading("/?token="+good, "Origin", "https://"+good),
		"origin, other scheme": upgrading("/?token="+good, "Origin", "app://"+good),
		"token as origin":      upgrading("/", "Origin", good),
		"token as address":     upgrading("/", "X-Forwarded-For", good, "X-Forwarded-Host", good),
		"bad extensions":       upgrading("/?token="+good, "Sec-Websocket-Extensions", good+" "+good),
		"cookie":               upgrading("/", "Cookie", "token="+good, protocols, wire.Subprotocol, "Authorization", "Bearer"),
		"token as subprotocol": upgrading("/", "Authorization", good, protocols, good),
	} {
		if status := w.visit(r, "{}"); status < 400 && status != http.StatusSwitchingProtocols {
			w.t.Errorf("%s: %d", name, status)
		}
	}
}

// panics has those callbacks panic that have not yet.
func (w *witness) panics() {
	w.t.Helper()
	r := upgrading("/?token=" + w.mint("OnOpen panics", user(panicName)))
	w.visit(r, "for the application, which panics")
	if _, err := w.s.PublishToTopic(w.t.Context(), "news", realtime.Message{Type: "a"}); err != nil {
		w.t.Fatal(err)
	}
}

// calls makes calls of the API, while somebody is connected.
func (w *witness) calls(good string) {
	w.t.Helper()
	dialRaw(w.t, w.s, upgrading("/?token="+good)).wants("$connected")
	calls := api.New(w.s.Service, api.Options{Keys: []string{w.secrets["API key"]}, Log: w.log.logger()})
	for _, path := range []string{"/v1/connections", "/v1/connections?user=u1", "/v1/connections?user=%zz", "/v1/nothing", "/v1/topics", "/openapi.json"} {
		for _, key := range []string{w.secrets["API key"], w.secrets["API key"] + "x", good, ""} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set("Authorization", "Bearer "+key)
			to := &w.shown
			if key == w.secrets["API key"] {
				to = &w.trusted
			}
			ask := httptest.NewRecorder()
			calls.ServeHTTP(ask, r)
			_ = ask.Result().Write(to)
		}
	}
	metrics := httptest.NewRecorder()
	api.Metrics(w.s.Service).ServeHTTP(metrics, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	_ = metrics.Result().Write(&w.shown)
}

// wantsToHaveSeen fails a test that shows nothing, since nothing happened.
func (w *witness) wantsToHaveSeen() {
	w.t.Helper()
	for _, callback := range []string{"Verifier", "OnOpen", "OnMessage", "OnClose", "AuthorizeTopic"} {
		if !strings.Contains(w.log.String(), `msg="a callback panicked" callback=`+callback) {
			w.t.Errorf("%s did not panic", callback)
		}
	}
	for _, want := range []string{"a listener failed", "a connection was refused", "goroutine ", "OnOpen failed"} {
		if !strings.Contains(w.log.String(), want) {
			w.t.Errorf("the log lacks %q", want)
		}
	}
	for _, want := range []string{"unauthorized: signature", "unauthorized: expired", "refusals_total", `"userId":"u1"`, "application/problem+json"} {
		if !strings.Contains(w.shown.String(), want) {
			w.t.Errorf("nobody was told %q", want)
		}
	}
}

// A Verifier of an application's own may fail with errors, and panic with texts,
// that quote the token.
func TestVerifiersWordsAreHidden(t *testing.T) {
	t.Parallel()
	const token = "an opaque/token of+an introspection"
	for name, verify := range map[string]func(token string) error{
		"error": func(token string) error {
			where := "https://id.example.com/introspect?token=" + url.QueryEscape(token)
			return &url.Error{Op: "Get", URL: where, Err: errors.New("connection refused")}
		},
		"as it is": func(token string) error { return fmt.Errorf("no such token: %s", token) },
		"panic":    func(token string) error { panic("cannot read " + token) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := new(journal)
			svc := newService(t, realtime.Options{Log: log.logger(), Verifier: auth.VerifierFunc(func(_ context.Context, token string) (*realtime.Identity, error) {
				return nil, verify(token)
			})})
			status, _, _ := ask(t, svc.Handler(realtime.HandlerOptions{}), upgrading("/?token="+url.QueryEscape(token)))
			if text := log.String(); status != http.StatusInternalServerError || strings.Contains(text, "opaque") || !strings.Contains(text, "[redacted]") {
				t.Errorf("status %d, logged %s", status, text)
			}
		})
	}
}
