package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("an example secret of 32 octets!!")

const key = "example-api-key"

// server is a service and its API behind a real HTTP server.
type server struct {
	*realtime.Service
	http *httptest.Server
}

func start(t testing.TB, opts realtime.Options, o api.Options) *server {
	t.Helper()
	if opts.Verifier == nil {
		verifier, err := auth.New(auth.Options{HMACSecret: secret})
		if err != nil {
			t.Fatalf("verifier: %v", err)
		}
		opts.Verifier = verifier
	}
	opts.Log = slog.New(slog.DiscardHandler)
	svc, err := realtime.New(opts)
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	if o.Keys == nil {
		o.Keys = []string{key}
	}
	if o.Log == nil {
		o.Log = opts.Log
	}
	s := &server{Service: svc, http: httptest.NewServer(root(svc, o))}
	t.Cleanup(func() {
		shutdown(t, svc)
		s.http.Close()
	})
	return s
}

// root has no mux of its own, which would clean paths before the API sees them.
func root(svc *realtime.Service, o api.Options) http.Handler {
	sockets, calls := svc.Handler(realtime.HandlerOptions{}), api.New(svc, o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ws" {
			sockets.ServeHTTP(w, r)
			return
		}
		calls.ServeHTTP(w, r)
	})
}

// shutdown does not wait for clients that never answer a close frame.
func shutdown(t testing.TB, svc *realtime.Service) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_ = svc.Shutdown(ctx)
}

// client is a plain WebSocket client.
type client struct {
	*websocket.Conn
	t  testing.TB
	id string
}

func (s *server) dial(t testing.TB, user string, roles ...string) *client {
	t.Helper()
	return s.dialClaims(t, map[string]any{"sub": user, "roles": roles, "exp": time.Now().Add(time.Hour).Unix()})
}

func (s *server) dialClaims(t testing.TB, claims map[string]any) *client {
	t.Helper()
	token, err := auth.Mint(secret, claims)
	if err != nil {
		t.Fatalf("mint: %v", err)
	}
	url := "ws" + strings.TrimPrefix(s.http.URL, "http") + "/ws?token=" + token
	conn, _, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	c := &client{Conn: conn, t: t}
	hello := c.read()
	if hello["type"] != "$connected" {
		t.Fatalf("the first frame is %v", hello)
	}
	c.id = hello["connectionId"].(string)
	return c
}

func (c *client) read() map[string]any {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	_, data, err := c.Read(ctx)
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		c.t.Fatalf("read %s: %v", data, err)
	}
	return m
}

// closed reads until the close frame and returns its code and reason.
func (c *client) closed() (code int, reason string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	for {
		_, _, err := c.Read(ctx)
		var end websocket.CloseError
		switch {
		case err == nil:
			continue
		case !asCloseError(err, &end):
			c.t.Fatalf("read: %v", err)
		}
		return int(end.Code), end.Reason
	}
}

// answer is what the API answered. Its body is read.
type answer struct {
	status int
	header http.Header
	text   string
	json   map[string]any // nil where there is no body
}

// header is one more header of a request.
type header struct{ name, value string }

// call makes a call with the key and holds the answer against the document.
func (s *server) call(t testing.TB, method, path, body string, headers ...header) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.http.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	for _, h := range headers {
		request.Header.Del(h.name)
	}
	for _, h := range headers {
		request.Header.Add(h.name, h.value)
	}
	response, err := s.http.Client().Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return readAnswer(t, request, response)
}

func readAnswer(t testing.TB, request *http.Request, response *http.Response) answer {
	t.Helper()
	data, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		t.Fatalf("%s %s: %v", request.Method, request.URL, err)
	}
	a := answer{status: response.StatusCode, header: response.Header, text: string(data)}
	if len(bytes.TrimSpace(data)) > 0 {
		if err := json.Unmarshal(data, &a.json); err != nil {
			t.Fatalf("%s %s: %v in %s", request.Method, request.URL, err, data)
		}
	}
	readDocument(t).check(t, request, a)
	return a
}

// want fails the test unless the answer has this status.
func (a answer) want(t testing.TB, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	return a
}

func (a answer) wantText(t testing.TB, status int, text string) {
	t.Helper()
	a.want(t, status)
	if got := strings.TrimSpace(a.text); got != text {
		t.Errorf("answer %s, want %s", got, text)
	}
}

// wantProblem fails the test unless the answer is a problem with this status and code.
func (a answer) wantProblem(t testing.TB, status int, code string) {
	t.Helper()
	if a.status != status || a.json["code"] != code {
		t.Errorf("answer %d %s, want %d and %s", a.status, a.text, status, code)
	}
}
