package realtime_test

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
)

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
