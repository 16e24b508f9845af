package realtime_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/realtimetest"
)

// way is how clients reach a service.
type way struct {
	name   string
	listen func(*httptest.Server) // nil: clients need no server
	dial   func(t *testing.T, s *server, token string) link
}

var (
	overTCP       = way{"TCP", (*httptest.Server).Start, dialWebSocket}
	overTLS       = way{"TLS", (*httptest.Server).StartTLS, dialWebSocket}
	overTransport = way{"transport", nil, connectTransport}
)

// everyWay runs a test over the path where loops own the sockets, over the
// portable path, and over an application's own transport.
func everyWay(t *testing.T, run func(t *testing.T, w way)) {
	t.Parallel()
	for _, w := range []way{overTCP, overTLS, overTransport} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			run(t, w)
		})
	}
}

// link is a client's end.
type link interface {
	read(ctx context.Context) (text []byte, err error)
	write(ctx context.Context, text string) error
	// end waits for the close and returns how it was.
	end(ctx context.Context) (code realtime.CloseCode, reason string, err error)
}

type client struct {
	t    *testing.T
	link link
	id   string
}

// dial connects a client and reads its $connected.
func (s *server) dial(t *testing.T, c claims) *client {
	t.Helper()
	client := &client{t: t, link: s.way.dial(t, s, token(t, c))}
	hello := client.read()
	if hello["type"] != "$connected" {
		t.Fatalf("the first frame is %v", hello)
	}
	client.id = hello["connectionId"].(string)
	return client
}

func (c *client) read() map[string]any {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	text, err := c.link.read(ctx)
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		c.t.Fatalf("read %s: %v", text, err)
	}
	return m
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.link.write(c.t.Context(), text); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// wants reads messages of these types, in this order.
func (c *client) wants(types ...string) {
	c.t.Helper()
	for _, want := range types {
		if m := c.read(); m["type"] != want {
			c.t.Fatalf("read %v, want a message of type %s", m, want)
		}
	}
}

// wantsNothing shows that nothing is on its way: the answer to a ping is next.
func (c *client) wantsNothing() {
	c.t.Helper()
	c.send(`{"action":"ping","ref":"nothing"}`)
	if m := c.read(); m["ref"] != "nothing" {
		c.t.Fatalf("read %v, want nothing", m)
	}
}

// wantsClose waits for the connection to be closed with a code, by the next
// frame that the client gets.
func (c *client) wantsClose(want realtime.CloseCode) (reason string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	code, reason, err := c.link.end(ctx)
	if err != nil {
		c.t.Fatalf("end: %v", err)
	}
	if code != want {
		c.t.Fatalf("closed with %d %q, want %d", code, reason, want)
	}
	return reason
}

// webSocket is an independent implementation of the protocol.
type webSocket struct{ conn *websocket.Conn }

func dialWebSocket(t *testing.T, s *server, token string) link {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), s.web.URL+"?token="+token, &websocket.DialOptions{HTTPClient: s.web.Client()})
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	conn.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &webSocket{conn}
}

func (w *webSocket) read(ctx context.Context) ([]byte, error) {
	_, data, err := w.conn.Read(ctx)
	return data, err
}

func (w *webSocket) write(ctx context.Context, text string) error {
	return w.conn.Write(ctx, websocket.MessageText, []byte(text))
}

func (w *webSocket) end(ctx context.Context) (realtime.CloseCode, string, error) {
	_, data, err := w.conn.Read(ctx)
	var closed websocket.CloseError
	switch {
	case err == nil:
		return 0, "", errors.New("a message came: " + string(data))
	case errors.As(err, &closed):
		return realtime.CloseCode(closed.Code), closed.Reason, nil
	}
	return 0, "", err
}

// transport is an application's own way to a client.
type transport struct {
	recorder *realtimetest.Recorder
	conn     *realtime.Conn
	frames   int // read so far
}

func connectTransport(t *testing.T, s *server, token string) link {
	t.Helper()
	l := &transport{recorder: &realtimetest.Recorder{}}
	var err error
	l.conn, err = s.Connect(t.Context(), l.recorder, realtime.ConnectOptions{Token: token, HandlerOptions: s.handler})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	return l
}

func (l *transport) read(ctx context.Context) ([]byte, error) {
	frames, err := l.recorder.WaitFrames(ctx, l.frames+1)
	if err != nil {
		return nil, err
	}
	l.frames++
	return frames[l.frames-1].Text, nil
}

func (l *transport) write(ctx context.Context, text string) error {
	return l.conn.Receive(ctx, []byte(text))
}

func (l *transport) end(ctx context.Context) (realtime.CloseCode, string, error) {
	code, reason, err := l.recorder.WaitClosed(ctx)
	if frames := l.recorder.Frames(); err == nil && len(frames) > l.frames {
		err = errors.New("a message came: " + strings.TrimSpace(string(frames[l.frames].Text)))
	}
	return code, reason, err
}
