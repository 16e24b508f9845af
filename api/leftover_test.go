package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
)

// Python's http.client, for one, writes the whole body before it reads, and
// reports a broken pipe where the connection is reset meanwhile.
func TestAnswersReachClientsThatWriteFirst(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	for _, test := range []struct {
		name, call, key, code string
		status, length        int
	}{
		{"too long", "POST /v1/broadcast", key, "body_too_large", 413, 12 << 20},
		{"a little too long", "POST /v1/broadcast", key, "body_too_large", 413, 64<<10 + 1},
		{"of a call that takes none", "GET /v1/topics", key, "unexpected_body", 400, 12 << 20},
		{"with a wrong key", "POST /v1/broadcast", "wrong", "invalid_key", 401, 12 << 20},
		{"with a wrong method", "PUT /v1/broadcast", key, "method_not_allowed", 405, 12 << 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", s.http.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_ = conn.(*net.TCPConn).SetWriteBuffer(16 << 10)
			_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
			_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: example.com\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n",
				test.call, test.key, test.length)
			for left := test.length; left > 0 && err == nil; left -= 4 << 10 {
				_, err = conn.Write(make([]byte, min(left, 4<<10)))
			}
			if err != nil {
				t.Fatalf("write: %v", err)
			}
			method, path, _ := strings.Cut(test.call, " ")
			request, err := http.NewRequest(method, "http://example.com"+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), request)
			if err != nil {
				t.Fatalf("read: %v", err)
			}
			readAnswer(t, request, response).wantProblem(t, test.status, test.code)
		})
	}
}

// A client that goes on sending after its answer is read for a moment only.
func TestLeftoverThatTakesLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc, err := realtime.New(realtime.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer shutdown(t, svc)
		client, server := net.Pipe()
		web := http.Server{Handler: api.New(svc, api.Options{Keys: []string{key}})}
		served := make(chan error, 1)
		in := &oneConn{conn: server, done: make(chan struct{})}
		go func() { served <- web.Serve(in) }()
		go func() { _, _ = io.Copy(io.Discard, client) }()
		begin := time.Now()
		_, err = io.WriteString(client, "POST /v1/broadcast HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
		for err == nil && time.Since(begin) < time.Minute {
			time.Sleep(100 * time.Millisecond)
			_, err = io.WriteString(client, "x")
		}
		if after := time.Since(begin); err == nil || after < 2*time.Second || after > 4*time.Second {
			t.Errorf("cut after %v (%v), want 2 s to 4 s", after, err)
		}
		_ = web.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
}

// oneConn is a listener of one connection.
type oneConn struct {
	conn net.Conn
	done chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { close(l.done); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }
