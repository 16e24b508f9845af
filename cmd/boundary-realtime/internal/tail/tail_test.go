package tail

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"boundary-app.org/realtime/wire"
)

// script is what a server does with its first, second, ... connection.
type script []func(*testing.T, context.Context, *websocket.Conn)

func (s script) start(t *testing.T) (url string) {
	t.Helper()
	var count atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		step := int(count.Add(1)) - 1
		if got := r.Header.Get("Authorization"); got != "Bearer the-token" {
			t.Errorf("Authorization is %q", got)
		}
		if step >= len(s) {
			http.Error(w, "no more", http.StatusForbidden)
			return
		}
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		defer func() { _ = conn.CloseNow() }()
		if conn.Subprotocol() != wire.Subprotocol {
			t.Errorf("the subprotocol is %q", conn.Subprotocol())
		}
		s[step](t, r.Context(), conn)
	}))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/ws?secret=hidden"
}

func write(t *testing.T, ctx context.Context, conn *websocket.Conn, text string) {
	if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		t.Errorf("write: %v", err)
	}
}

func expect(t *testing.T, ctx context.Context, conn *websocket.Conn, want string) {
	if _, got, err := conn.Read(ctx); err != nil || string(got) != want {
		t.Errorf("read %s (%v), want %s", got, err, want)
	}
}

const hello = `{"type":"$connected","connectionId":"c1","userId":"u1","roles":[],"expiresAt":null,"pingInterval":25000}`

// tailed is what came of a Run.
type tailed struct {
	out, status strings.Builder
	err         error
}

func tailAll(t *testing.T, url string, topics ...string) *tailed {
	t.Helper()
	r := new(tailed)
	r.err = Run(t.Context(), Options{
		URL: url, Topics: topics, Out: &r.out, Status: &r.status,
		Token: func() (string, error) { return "the-token", nil },
	})
	for _, hidden := range []string{"the-token", "hidden"} {
		if text := r.out.String() + r.status.String() + r.err.Error(); strings.Contains(text, hidden) {
			t.Errorf("%q shows in %s", hidden, text)
		}
	}
	return r
}

func TestPrintsUntilStopped(t *testing.T) {
	t.Parallel()
	url := script{
		func(t *testing.T, ctx context.Context, conn *websocket.Conn) {
			write(t, ctx, conn, hello)
			expect(t, ctx, conn, `{"action":"subscribe","topic":"a:b","ref":1}`)
			write(t, ctx, conn, `{"type":"$reply","ref":1,"ok":true,"topic":"a:b"}`)
			write(t, ctx, conn, "{\n  \"type\": \"one\",\n  \"payload\": [1, 2]\n}")
			write(t, ctx, conn, `{"type":"$ping"}`)
			write(t, ctx, conn, `not JSON`)
			write(t, ctx, conn, `{"type":"$closing","reason":"drain","reconnectAfter":1}`)
			_ = conn.Close(4001, "drain")
		},
		func(t *testing.T, ctx context.Context, conn *websocket.Conn) {
			write(t, ctx, conn, hello)
			expect(t, ctx, conn, `{"action":"subscribe","topic":"a:b","ref":1}`)
			write(t, ctx, conn, `{"type":"two"}`)
			write(t, ctx, conn, `{"type":"$closing","reason":"user_limit","reconnectAfter":2}`)
			_ = conn.Close(4504, "too many")
		},
		func(t *testing.T, ctx context.Context, conn *websocket.Conn) {
			_ = conn.Close(4503, "kicked")
		},
	}.start(t)
	r := tailAll(t, url, "a:b")
	var stopped *Stopped
	if !errors.As(r.err, &stopped) || stopped.Code != 4503 || stopped.Reason != "kicked" {
		t.Errorf("run: %v, want 4503 kicked", r.err)
	}
	if want := "{\"type\":\"one\",\"payload\":[1,2]}\nnot JSON\n{\"type\":\"two\"}\n"; r.out.String() != want {
		t.Errorf("printed %q, want %q", r.out.String(), want)
	}
	want := "connected as u1, connection c1\nsubscribed to a:b\nthe server is closing the connection: drain\n" +
		"connection closed: 4001 drain; reconnecting in 1ms\nconnected as u1, connection c1\n" +
		"the server is closing the connection: user_limit\nconnection closed: 4504 too many; reconnecting in 2ms\n"
	if r.status.String() != want {
		t.Errorf("said %q, want %q", r.status.String(), want)
	}
}

func TestEndsAfterACount(t *testing.T) {
	t.Parallel()
	closed := make(chan websocket.StatusCode, 1)
	url := script{
		func(t *testing.T, ctx context.Context, conn *websocket.Conn) {
			write(t, ctx, conn, hello)
			write(t, ctx, conn, `{"type":"one"}`)
			_ = conn.Close(4400, "again")
		},
		func(t *testing.T, ctx context.Context, conn *websocket.Conn) {
			write(t, ctx, conn, hello)
			write(t, ctx, conn, `{"type":"two"}`)
			write(t, ctx, conn, `{"type":"three"}`)
			_, _, err := conn.Read(ctx)
			closed <- websocket.CloseStatus(err)
		},
	}.start(t)
	var out, status strings.Builder
	err := Run(t.Context(), Options{URL: url, Count: 2, Out: &out, Status: &status, Token: func() (string, error) { return "the-token", nil }})
	if err != nil || out.String() != "{\"type\":\"one\"}\n{\"type\":\"two\"}\n" {
		t.Errorf("run: %v, printed %q", err, out.String())
	}
	if got := <-closed; got != websocket.StatusNormalClosure {
		t.Errorf("the server saw %d, want 1000", got)
	}
}

func TestStops(t *testing.T) {
	t.Parallel()
	closes := func(code websocket.StatusCode) func(*testing.T, context.Context, *websocket.Conn) {
		return func(_ *testing.T, _ context.Context, conn *websocket.Conn) { _ = conn.Close(code, "why") }
	}
	tests := []struct {
		name   string
		server script
		want   string
	}{
		{"bad token", script{closes(4500)}, "tail: the server closed the connection for good: 4500 why"},
		{"the last code", script{closes(4999)}, "4999 why"},
		{"normal closure", script{closes(1000)}, "1000 why"},
		{"refused with a status", script{}, "got 403: no more"},
		{"subscription refused", script{func(t *testing.T, ctx context.Context, conn *websocket.Conn) {
			write(t, ctx, conn, hello)
			expect(t, ctx, conn, `{"action":"subscribe","topic":"t","ref":1}`)
			write(t, ctx, conn, `{"type":"$reply","ref":1,"ok":false,"error":{"code":"forbidden","message":"you may not"}}`)
			_, _, _ = conn.Read(ctx)
		}}, "tail: subscribe: forbidden: you may not"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := tailAll(t, test.server.start(t), "t")
			if r.err == nil || !strings.Contains(r.err.Error(), test.want) {
				t.Errorf("run: %v, want %q", r.err, test.want)
			}
		})
	}
}

func TestSilenceIsALoss(t *testing.T) {
	t.Parallel()
	c := client{Options: Options{Status: new(strings.Builder)}}
	for text, want := range map[string]float64{
		`{"type":"$connected","connectionId":"c1","pingInterval":25000}`: 55,
		`{"type":"$connected","connectionId":"c1","pingInterval":0}`:     0,
	} {
		if err := c.take(t.Context(), []byte(text)); err != nil || c.silence.Seconds() != want {
			t.Errorf("%s: silent for %v (%v), want %v s", text, c.silence, err, want)
		}
	}
	c.silence = 1 // a nanosecond
	url := script{func(_ *testing.T, ctx context.Context, conn *websocket.Conn) { _, _, _ = conn.Read(ctx) }}.start(t)
	c.URL, c.Token = url, func() (string, error) { return "the-token", nil }
	var lost *loss
	if err := c.session(t.Context()); !errors.As(err, &lost) || lost.code != 1006 {
		t.Errorf("session: %v, want a loss", err)
	}
}

func TestEndsPolitely(t *testing.T) {
	t.Parallel()
	code := make(chan websocket.StatusCode, 1)
	ctx, cancel := context.WithCancel(t.Context())
	url := script{func(t *testing.T, ctx context.Context, conn *websocket.Conn) {
		write(t, ctx, conn, hello)
		_, _, err := conn.Read(ctx)
		code <- websocket.CloseStatus(err)
	}}.start(t)
	connected := writerFunc(func(text []byte) (int, error) {
		cancel()
		return len(text), nil
	})
	err := Run(ctx, Options{URL: url, Out: new(strings.Builder), Status: connected, Token: func() (string, error) { return "the-token", nil }})
	if err != nil {
		t.Errorf("run: %v", err)
	}
	if got := <-code; got != websocket.StatusNormalClosure {
		t.Errorf("the server saw %d, want 1000", got)
	}
}

func TestTokenThatCannotBeRead(t *testing.T) {
	t.Parallel()
	broken := errors.New("no such file")
	err := Run(t.Context(), Options{URL: "ws://127.0.0.1:1/", Token: func() (string, error) { return "", broken }})
	if !errors.Is(err, broken) {
		t.Errorf("run: %v", err)
	}
}

func TestFirstAttemptMayFail(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	said := writerFunc(func(text []byte) (int, error) {
		if !strings.HasPrefix(string(text), "cannot connect: dial tcp 127.0.0.1:1:") || !strings.Contains(string(text), "is the server running?") || strings.Contains(string(text), "hidden") {
			t.Errorf("said %q", text)
		}
		cancel()
		return len(text), nil
	})
	err := Run(ctx, Options{URL: "ws://127.0.0.1:1/?secret=hidden", Status: said, Token: func() (string, error) { return "the-token", nil }})
	if err != nil {
		t.Errorf("run: %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(text []byte) (int, error) { return f(text) }
