package realtime_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/realtimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("an example secret of 32 octets!!")

// server is a service with a way for clients to reach it.
type server struct {
	*realtime.Service
	handler realtime.HandlerOptions
	way     way
	web     *httptest.Server // nil when the way needs none
}

// start starts a service behind a plain HTTP server.
func start(t *testing.T, opts realtime.Options, handler realtime.HandlerOptions) *server {
	t.Helper()
	return startOver(t, overTCP, opts, handler)
}

func startOver(t *testing.T, w way, opts realtime.Options, handler realtime.HandlerOptions) *server {
	t.Helper()
	s := &server{Service: newService(t, opts), handler: handler, way: w}
	if w.listen != nil {
		s.web = httptest.NewUnstartedServer(s.Handler(handler))
		s.web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		w.listen(s.web)
		t.Cleanup(s.web.Close)
	}
	return s
}

// newService starts a service that verifies the tokens of func token, unless
// opts has a Verifier, and logs nothing, unless opts has a Log.
func newService(t *testing.T, opts realtime.Options) *realtime.Service {
	t.Helper()
	if opts.Verifier == nil {
		verifier, err := auth.New(auth.Options{HMACSecret: secret})
		if err != nil {
			t.Fatal(err)
		}
		opts.Verifier = verifier
	}
	if opts.Log == nil {
		opts.Log = discard()
	}
	svc, err := realtime.New(opts)
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	t.Cleanup(func() { _ = svc.Shutdown(doneContext()) })
	return svc
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// journal keeps what was logged, at every level.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// doneContext makes Shutdown cut whoever is still connected.
func doneContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// claims are a token's; exp is in an hour unless they say otherwise.
type claims map[string]any

func token(t *testing.T, c claims) string {
	t.Helper()
	c = maps.Clone(c)
	if _, ok := c["exp"]; !ok {
		c["exp"] = time.Now().Add(time.Hour).Unix()
	}
	text, err := auth.Mint(secret, c)
	if err != nil {
		t.Fatalf("mint: %v", err)
	}
	return text
}

func user(id string, roles ...string) claims { return claims{"sub": id, "roles": roles} }

// metric returns the sum of a metric's values over its labels.
func metric(t *testing.T, svc *realtime.Service, name string) (sum float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(svc.Collector())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

// patience is how long a test waits for what happens at once.
const patience = time.Minute

// eventually waits for a value on a channel.
func eventually[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("in vain waited for %s", what)
		panic("unreachable")
	}
}

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

// raw is a client that sees frames, and sends whatever octets it likes.
type raw struct {
	net.Conn
	t      *testing.T
	input  *bufio.Reader
	reader socket.Reader
	rest   []byte
}

var clientSide = socket.Config{Client: true, MaxMessage: 1 << 20}

// upgrading returns a request for the endpoint at target, with header fields in
// pairs of name and value.
func upgrading(target string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	socket.SetRequest(r.Header, socket.HandshakeOptions{})
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// dialRaw connects to a server and reads the 101.
func dialRaw(t *testing.T, s *server, r *http.Request) *raw {
	t.Helper()
	c := newRaw(t, dialTCP(t, s))
	if err := r.Write(c); err != nil {
		t.Fatal(err)
	}
	c.upgraded(r)
	return c
}

func dialTCP(t *testing.T, s *server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.web.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// dialPipe hands one end of a pipe to a handler: the portable path, without a
// network and so in virtual time.
func dialPipe(t *testing.T, h http.Handler, r *http.Request) *raw {
	t.Helper()
	client, server := net.Pipe()
	go h.ServeHTTP(&pipeWriter{httptest.NewRecorder(), server}, r)
	c := newRaw(t, client)
	c.upgraded(r)
	return c
}

// pipeWriter is the ResponseWriter of a request that came through a pipe.
type pipeWriter struct {
	http.ResponseWriter
	conn net.Conn
}

func (w *pipeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

func newRaw(t *testing.T, conn net.Conn) *raw {
	t.Cleanup(func() { _ = conn.Close() })
	return &raw{Conn: conn, t: t, input: bufio.NewReader(conn)}
}

// upgraded reads the 101 and returns its header.
func (c *raw) upgraded(r *http.Request) http.Header {
	c.t.Helper()
	response, err := http.ReadResponse(c.input, r)
	if err != nil {
		c.t.Fatalf("read the answer: %v", err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		c.t.Fatalf("status %d, want 101", response.StatusCode)
	}
	return response.Header
}

// next returns what the server sends next.
func (c *raw) next() socket.Event {
	c.t.Helper()
	return c.read(false)
}

// nextCompressed is next where permessage-deflate was agreed on.
func (c *raw) nextCompressed() socket.Event {
	c.t.Helper()
	return c.read(true)
}

func (c *raw) read(deflate bool) socket.Event {
	c.t.Helper()
	for {
		event, rest, err := c.reader.Next(&clientSide, deflate, c.rest)
		if err != nil {
			c.t.Fatalf("the server broke the protocol: %v", err)
		}
		c.rest = rest
		if event.Kind != socket.None {
			return event
		}
		buf := make([]byte, 16<<10)
		n, err := c.input.Read(buf)
		if err != nil {
			c.t.Fatalf("read: %v", err)
		}
		c.rest = buf[:n]
	}
}

// wants reads text messages of these types.
func (c *raw) wants(types ...string) {
	c.t.Helper()
	for _, want := range types {
		var m struct{ Type string }
		event := c.next()
		if err := json.Unmarshal(event.Data, &m); event.Op != socket.OpText || err != nil || m.Type != want {
			c.t.Fatalf("got kind %d %q, want a message of type %s", event.Kind, event.Data, want)
		}
	}
}

func (c *raw) wantsKind(want socket.EventKind) {
	c.t.Helper()
	if event := c.next(); event.Kind != want {
		c.t.Fatalf("got kind %d %q, want kind %d", event.Kind, event.Data, want)
	}
}

func (c *raw) wantsClose(want realtime.CloseCode) {
	c.t.Helper()
	if event := c.next(); event.Kind != socket.Close || event.Code != uint16(want) {
		c.t.Fatalf("got kind %d, code %d %q, want a close frame with %d", event.Kind, event.Code, event.Data, want)
	}
	_ = c.Conn.Close() // so that the server need not wait for the answer
}

// wantsRetry reads $closing with a reason and a delay, and the close frame behind.
func (c *raw) wantsRetry(want realtime.CloseCode, reason string) (delay time.Duration) {
	c.t.Helper()
	var m struct {
		Type, Reason   string
		ReconnectAfter int64
	}
	event := c.next()
	if err := json.Unmarshal(event.Data, &m); event.Op != socket.OpText || err != nil ||
		m.Type != "$closing" || m.Reason != reason || m.ReconnectAfter <= 0 {
		c.t.Fatalf("got kind %d %q, want $closing with the reason %s and a delay", event.Kind, event.Data, reason)
	}
	c.wantsClose(want)
	return time.Duration(m.ReconnectAfter) * time.Millisecond
}

func (c *raw) send(op socket.Opcode, payload string) {
	c.t.Helper()
	c.write(socket.AppendMaskedFrame(nil, op, []byte(payload), [4]byte{1, 2, 3, 4}))
}

func (c *raw) write(octets []byte) {
	c.t.Helper()
	if _, err := c.Conn.Write(octets); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}
