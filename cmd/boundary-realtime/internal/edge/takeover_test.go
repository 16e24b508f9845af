package edge

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"

	"boundary-app.org/realtime/internal/poll"
)

// A connection that is taken over is the accepted one, or TLS on it, and not
// watched any more: its client may take its time.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		t.Run("tls="+strconv.FormatBool(secure), func(t *testing.T) {
			t.Parallel()
			handler := TakeOver(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				taken, buffered, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer taken.Close()
				base := taken
				if secure {
					base = poll.Bare(taken.(*tls.Conn).NetConn())
				}
				if _, ok := base.(*net.TCPConn); !ok {
					t.Errorf("the connection is a %T", base)
				}
				_, _ = io.CopyN(taken, buffered, int64(len("early")))
				if c := r.Context().Value(connKey{}).(*conn); c.unread.timer != nil {
					t.Error("the connection is watched")
				}
			}))
			inner := listen(t)
			serve(t, inner, Options{}, secure, handler.ServeHTTP)
			c := newClient(t, inner, secure)
			write(t, c, get+"early")
			if got, err := io.ReadAll(c); string(got) != "early" || err != nil {
				t.Errorf("read %q (%v), want what came behind the request", got, err)
			}
		})
	}
}
