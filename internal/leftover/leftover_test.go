package leftover

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// send writes a request with a body before it reads anything, and returns the
// connection.
func send(t *testing.T, s *httptest.Server, target string, length int) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.(*net.TCPConn).SetWriteBuffer(16 << 10)
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", target, length)
	for left := length; left > 0 && err == nil; left -= 4 << 10 {
		_, err = conn.Write(make([]byte, min(left, 4<<10)))
	}
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	return conn
}

// A client that writes all of its body before it reads gets the answer.
func TestAnswerReachesClientThatWritesFirst(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(Handler(http.NotFoundHandler()))
	defer s.Close()
	for _, length := range []int{0, 1, 12 << 20} {
		response, err := http.ReadResponse(bufio.NewReader(send(t, s, "/", length)), nil)
		if err != nil {
			t.Fatalf("%d bytes: %v", length, err)
		}
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("%d bytes: status %d", length, response.StatusCode)
		}
		_ = response.Body.Close()
	}
}

// A connection that was taken over is left alone: nothing of it is read, and it gets
// no deadline.
func TestTakenConnectionIsLeftAlone(t *testing.T) {
	t.Parallel()
	body := strings.NewReader("frames")
	w := &taken{ResponseWriter: httptest.NewRecorder()}
	Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, _, err := http.NewResponseController(w).Hijack(); err != nil {
			t.Error(err)
		}
	})).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", body))
	if w.deadlines != 0 || body.Len() != len("frames") {
		t.Errorf("%d deadlines, %d bytes are left", w.deadlines, body.Len())
	}
}

// taken is an answer whose connection can be taken over.
type taken struct {
	http.ResponseWriter
	deadlines int
}

func (w *taken) SetReadDeadline(time.Time) error              { w.deadlines++; return nil }
func (w *taken) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, nil }
