package edge

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/poll"
)

// A connection that is taken over is the accepted one, or TLS on it, and not
// watched any more: its client may take its time.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	const much, answerTime = 16 << 20, 100 * time.Millisecond
	for _, secure := range []bool{false, true} {
		t.Run("tls="+strconv.FormatBool(secure), func(t *testing.T) {
			t.Parallel()
			written := make(chan error, 1)
			handler := TakeOver(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, buffered, err := http.NewResponseController(w).Hijack()
				if err != nil {
					written <- err
					return
				}
				base := conn
				if secure {
					base = poll.Bare(conn.(*tls.Conn).NetConn())
				}
				if _, ok := base.(*net.TCPConn); !ok {
					t.Errorf("the connection is a %T", base)
				}
				early := make([]byte, 5)
				if _, err := io.ReadFull(buffered, early); err != nil || string(early) != "early" {
					t.Errorf("read %q (%v)", early, err)
				}
				go func() {
					defer conn.Close()
					_, err := conn.Write(make([]byte, much))
					written <- err
				}()
			}))
			inner := listen(t)
			r := serve(t, inner, Options{AnswerTime: answerTime}, secure, handler.ServeHTTP)
			c := newClient(t, inner, secure)
			write(t, c, get+"early")
			select {
			case err := <-written:
				t.Fatalf("written, although the client does not read: %v", err)
			case <-time.After(4 * answerTime):
			}
			if n, err := io.Copy(io.Discard, c); n != much || err != nil {
				t.Errorf("read %d bytes (%v), want %d", n, err, much)
			}
			if err := <-written; err != nil {
				t.Errorf("write: %v", err)
			}
			if n := r.total(t, "realtime_http_refusals_total", ""); n != 0 {
				t.Errorf("%v were counted, want none", n)
			}
		})
	}
}
