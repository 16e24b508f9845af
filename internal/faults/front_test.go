package faults_test

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// front is how a node's clients come in. What must survive is the same for each.
type front struct {
	name   string
	start  func(*httptest.Server)
	client func(net.Conn) net.Conn // the client's side of a TCP connection
}

var (
	loops    = front{"loops", (*httptest.Server).Start, func(conn net.Conn) net.Conn { return conn }}
	portable = front{"portable", func(web *httptest.Server) {
		web.Listener = opaqueListener{web.Listener}
		web.Start()
	}, loops.client}
	secure = front{"TLS", (*httptest.Server).StartTLS, func(conn net.Conn) net.Conn {
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}})
	}}
)

// everyFront runs a test behind each of them.
func everyFront(t *testing.T, run func(t *testing.T, f front)) {
	t.Parallel()
	for _, f := range []front{loops, portable, secure} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			run(t, f)
		})
	}
}

// listen serves on an address until the test ends.
func (f front) listen(t testing.TB, h http.Handler) (addr string) {
	web := httptest.NewUnstartedServer(h)
	web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	f.start(web)
	t.Cleanup(web.Close)
	return web.Listener.Addr().String()
}

// opaqueListener hides what its connections are, so that no loop takes them.
type opaqueListener struct{ net.Listener }

type opaque struct{ net.Conn }

func (l opaqueListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return opaque{conn}, nil
}

// opening returns how many octets go up and come down until a client is connected.
func (n *node) opening() (up, down int64) {
	n.t.Helper()
	conn, err := net.Dial("tcp", n.addr)
	if err != nil {
		n.t.Fatal(err)
	}
	counted := &counting{Conn: conn}
	c := n.upgraded("u1", counted, nil)
	up, down = counted.up, counted.down
	_ = c.Close() // over TLS this says something too
	n.wantsClose(c.id)
	return up, down
}

// counting counts what passes. It belongs to one goroutine.
type counting struct {
	net.Conn
	up, down int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.down += int64(n)
	return n, err
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.up += int64(n)
	return n, err
}
