package realtime_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("an example secret of 32 octets!!")

// server is a service behind a real HTTP server.
type server struct {
	*realtime.Service
	url string
}

func start(t *testing.T, opts realtime.Options, handler realtime.HandlerOptions) *server {
	t.Helper()
	return startWith(t, opts, handler, httptest.NewUnstartedServer)
}

func token(t *testing.T, claims map[string]any) string {
	t.Helper()
	if _, ok := claims["exp"]; !ok {
		claims["exp"] = time.Now().Add(time.Hour).Unix()
	}
	text, err := auth.Mint(secret, claims)
	if err != nil {
		t.Fatalf("mint: %v", err)
	}
	return text
}

// client is a plain WebSocket client.
type client struct {
	*websocket.Conn
	t  *testing.T
	id string
}

func (s *server) dial(t *testing.T, claims map[string]any) *client {
	t.Helper()
	conn, response, err := websocket.Dial(t.Context(), s.url+"?token="+token(t, claims), nil)
	if err != nil {
		t.Fatalf("dial: %v (%v)", err, response)
	}
	conn.SetReadLimit(1 << 20)
	c := &client{Conn: conn, t: t}
	t.Cleanup(func() { _ = conn.CloseNow() })
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

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.Write(c.t.Context(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func startWith(t *testing.T, opts realtime.Options, handler realtime.HandlerOptions, newServer func(http.Handler) *httptest.Server) *server {
	t.Helper()
	if opts.Verifier == nil {
		verifier, err := auth.New(auth.Options{HMACSecret: secret})
		if err != nil {
			t.Fatal(err)
		}
		opts.Verifier = verifier
	}
	if opts.Log == nil {
		opts.Log = quiet()
	}
	svc, err := realtime.New(opts)
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	h := newServer(svc.Handler(handler))
	h.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_ = svc.Shutdown(ctx)
		h.Close()
	})
	return &server{Service: svc, url: "ws" + strings.TrimPrefix(h.URL, "http")}
}
