package socket

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// echo is a server made of this package alone.
func echo(o HandshakeOptions) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, err := CheckHandshake(r, o)
		var refusal *Refusal
		if errors.As(err, &refusal) {
			refusal.ServeHTTP(w, r)
			return
		}
		conn, buffered, err := Hijack(w)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer conn.Close()
		if _, err := conn.Write(h.AppendResponse(nil)); err == nil {
			echoFrames(conn, buffered, h.Deflate)
		}
	})
}

func echoFrames(conn net.Conn, in []byte, deflate bool) {
	var r Reader
	buf := make([]byte, 4096)
	for {
		ev, rest, err := r.Next(&Config{}, deflate, in)
		var protocol *ProtocolError
		switch {
		case errors.As(err, &protocol):
			_, _ = conn.Write(AppendClose(nil, protocol.Code, protocol.Text))
			return
		case ev.Kind == None:
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			rest = buf[:n]
		case ev.Kind == Message && deflate:
			_, _ = conn.Write(AppendDeflatedFrame(nil, ev.Op, ev.Data))
		case ev.Kind == Message:
			_, _ = conn.Write(AppendFrame(nil, ev.Op, ev.Data))
		case ev.Kind == Ping:
			_, _ = conn.Write(AppendFrame(nil, OpPong, ev.Data))
		case ev.Kind == Close:
			_, _ = conn.Write(AppendClose(nil, ev.Code, ""))
			return
		}
		in = rest
	}
}

// wrapped hides the connection's methods, as a middleware does.
type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// sealed is a wrapper that nothing reaches through.
type sealed struct{ http.ResponseWriter }

const handshakeText = "GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: " + sampleKey + "\r\nSec-WebSocket-Version: 13\r\n"

// exchange sends one packet and returns all that comes back.
func exchange(t *testing.T, handler http.Handler, packet string) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ReadTimeout = 20 * time.Second
	server.Start()
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, packet); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestHandshakeOverTheWire(t *testing.T) {
	t.Parallel()
	const switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + sampleAccept + "\r\n"
	frames := string(fin(OpText, "first")) + string(fin(OpPing, "p")) + string(fin(OpText, strings.Repeat("x", 3000))) + string(closing(1000, ""))
	echoed := "\x81\x05first" + "\x8A\x01p" + "\x81\x7E\x0B\xB8" + strings.Repeat("x", 3000) + "\x88\x02\x03\xE8"
	t.Run("frames in the packet of the handshake", func(t *testing.T) {
		t.Parallel()
		got := exchange(t, echo(HandshakeOptions{}), handshakeText+"\r\n"+frames)
		if got != switched+"\r\n"+echoed {
			t.Errorf("answer %q", got)
		}
	})
	t.Run("through a wrapper", func(t *testing.T) {
		t.Parallel()
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			echo(HandshakeOptions{Protocols: []string{"v1"}}).ServeHTTP(wrapped{w}, r)
		})
		got := exchange(t, handler, handshakeText+"Sec-WebSocket-Protocol: v0, v1\r\n\r\n"+frames)
		if got != switched+"Sec-WebSocket-Protocol: v1\r\n\r\n"+echoed {
			t.Errorf("answer %q", got)
		}
	})
	t.Run("an error closes with its code", func(t *testing.T) {
		t.Parallel()
		got := exchange(t, echo(HandshakeOptions{}), handshakeText+"\r\n\x81\x05hello")
		if want := switched + "\r\n\x88\x1E\x03\xEAunmasked frame from a client"; got != want {
			t.Errorf("answer %q, want %q", got, want)
		}
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		plain := "GET /ws HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(exchange(t, echo(HandshakeOptions{}), plain))), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusUpgradeRequired || resp.Header.Get("Upgrade") != "websocket" || err != nil {
			t.Errorf("answered %s %v %q, %v", resp.Status, resp.Header, body, err)
		}
	})
}

func TestHijackClearsDeadlines(t *testing.T) {
	t.Parallel()
	cleared := make(chan error, 1)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		// Whatever was set before must not end the connection later.
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
		_ = http.NewResponseController(w).SetWriteDeadline(time.Unix(1, 0))
		conn, _, err := Hijack(w)
		if err != nil {
			cleared <- err
			return
		}
		defer conn.Close()
		_, written := io.WriteString(conn, "go on")
		_, err = conn.Read(make([]byte, 1))
		cleared <- errors.Join(written, err)
	})
	server := httptest.NewServer(handler)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, handshakeText+"\r\n")
	_, _ = io.ReadFull(conn, make([]byte, len("go on")))
	_, _ = io.WriteString(conn, "x")
	if err := <-cleared; err != nil {
		t.Errorf("after Hijack: %v", err)
	}
}

func TestHijackFails(t *testing.T) {
	t.Parallel()
	_, _, err := Hijack(sealed{httptest.NewRecorder()})
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "Unwrap") {
		t.Errorf("sealed: %v", err)
	}
	_, _, err = Hijack(&hijacker{ResponseWriter: httptest.NewRecorder(), err: io.ErrClosedPipe})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("hijacked already: %v", err)
	}
	near, far := net.Pipe()
	defer far.Close()
	_ = near.Close()
	_, _, err = Hijack(&hijacker{ResponseWriter: httptest.NewRecorder(), conn: near})
	if !errors.Is(err, io.ErrClosedPipe) || !strings.Contains(err.Error(), "deadlines") {
		t.Errorf("closed: %v", err)
	}
}

type hijacker struct {
	http.ResponseWriter
	conn net.Conn
	err  error
}

func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	rw := bufio.NewReadWriter(bufio.NewReader(strings.NewReader("")), bufio.NewWriter(io.Discard))
	return h.conn, rw, h.err
}

func TestHTTP2IsRefused(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(echo(HandshakeOptions{}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	resp, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.ProtoMajor != 2 || resp.StatusCode != http.StatusHTTPVersionNotSupported || !bytes.Contains(body, []byte("HTTP/1.1")) {
		t.Errorf("%s %s %q, %v", resp.Proto, resp.Status, body, err)
	}
	server.Client().CloseIdleConnections()
}

// Our client's half against our server's half, through net/http on both sides.
func TestClientAgainstServer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(echo(HandshakeOptions{Protocols: []string{"v1"}, Deflate: true}))
	defer server.Close()
	offer := HandshakeOptions{Protocols: []string{"v2", "v1"}, Deflate: true}
	req, err := http.NewRequest(http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	key := SetRequest(req.Header, offer)
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	protocol, deflate, err := CheckResponse(resp, key, offer)
	if err != nil || protocol != "v1" || !deflate {
		t.Fatalf("%q, %v, %v", protocol, deflate, err)
	}
	text := []byte(jsonText(10_000))
	stream := resp.Body.(io.ReadWriteCloser)
	if _, err := stream.Write(AppendMaskedDeflatedFrame(nil, OpText, text, testMask)); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Write(AppendMaskedFrame(nil, OpClose, AppendCloseBody(nil, 1000, "done"), testMask)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(stream)
	if err != nil {
		t.Fatal(err)
	}
	var r Reader
	message, rest, err := r.Next(&Config{Client: true}, deflate, answer)
	if err != nil || !bytes.Equal(message.Data, text) || len(answer) > len(text)/2 {
		t.Errorf("%s in %d octets, %v", describe(message), len(answer), err)
	}
	if ev, _, err := r.Next(&Config{Client: true}, deflate, rest); describe(ev) != `close 1000 ""` || err != nil {
		t.Errorf("%s, %v", describe(ev), err)
	}
}
