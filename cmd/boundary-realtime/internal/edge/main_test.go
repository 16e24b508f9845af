package edge

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is a slog.Handler that hands every line on.
type lines chan string

func (l lines) Enabled(context.Context, slog.Level) bool { return true }
func (l lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l lines) WithGroup(string) slog.Handler            { return l }

func (l lines) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	select {
	case l <- text:
	default: // no test looks at so many
	}
	return nil
}

// running is a server on a Listener.
type running struct {
	figures *Figures
	lines   lines
}

// serve runs a server, secure when it speaks TLS, until the test ends.
func serve(t *testing.T, inner net.Listener, opts Options, secure bool, handler http.HandlerFunc) *running {
	t.Helper()
	r := &running{figures: NewFigures(), lines: make(lines, 64)}
	opts.Figures, opts.Log = r.figures, slog.New(r.lines)
	if opts.HeaderSize == 0 {
		opts.HeaderSize = 16 << 10
	}
	if opts.HeaderTimeout == 0 {
		opts.HeaderTimeout = 5 * time.Second
	}
	if opts.AnswerTime == 0 {
		opts.AnswerTime = 30 * time.Second
	}
	l := NewListener(inner, opts)
	server := http.Server{Handler: handler, IdleTimeout: time.Minute}
	l.Watch(&server)
	served := make(chan error, 1)
	var outer net.Listener = l
	if secure {
		outer = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate()}})
	}
	go func() { served <- server.Serve(outer) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return r
}

// line waits for a line of the log with a text.
func (r *running) line(t *testing.T, text string) string {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		select {
		case line := <-r.lines:
			if strings.Contains(line, text) {
				return line
			}
		case <-deadline:
			t.Fatalf("no line with %q", text)
		}
	}
}

// total returns the sum of a figure over the series with a reason, over all
// series when it is empty.
func (r *running) total(t *testing.T, name, reason string) (sum float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(r.figures.Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			if reason == "" || m.GetLabel()[0].GetValue() == reason {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// pipes is a listener whose connections are pipes, which know virtual time.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func newPipes() pipes { return pipes{make(chan net.Conn), make(chan struct{})} }

func (p pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.accepted <- pipe{server}
	return client
}

// pipe is a pipe from this machine.
type pipe struct{ net.Conn }

func (pipe) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.accepted:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func listen(t *testing.T) net.Listener {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return inner
}

func dial(t *testing.T, inner net.Listener) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn.(*net.TCPConn)
}

func write(t *testing.T, conn io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// certificate is the one that httptest has.
func certificate() tls.Certificate {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.TLS.Certificates[0]
}

// client reads answers one by one.
type client struct {
	net.Conn
	in *bufio.Reader
}

func newClient(t *testing.T, inner net.Listener, secure bool) client {
	t.Helper()
	return over(dial(t, inner), secure)
}

func over(conn net.Conn, secure bool) client {
	if secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // it is the test's own
	}
	return client{conn, bufio.NewReader(conn)}
}

func (c client) status(t *testing.T) int {
	t.Helper()
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}
