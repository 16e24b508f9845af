package edge

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Requests that net/http refuses without the handler are counted and logged.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request string
		status  int
		counted float64
	}{
		"good":              {"GET / HTTP/1.0\r\n\r\n", 200, 0},
		"nonsense":          {"nonsense\r\n\r\n", 400, 1},
		"no host":           {"GET / HTTP/1.1\r\n\r\n", 400, 1},
		"an unknown coding": {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: x\r\n\r\n", 501, 1},
		"another version":   {"GET / HTTP/7.1\r\nHost: h\r\n\r\n", 505, 1},
		"an expectation":    {"GET / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n", 417, 1},
	} {
		for _, secure := range []bool{false, true} {
			for _, before := range []string{"", get} {
				t.Run(name+" tls="+strconv.FormatBool(secure)+" after "+strconv.Itoa(len(before)), func(t *testing.T) {
					t.Parallel()
					inner := listen(t)
					r := serve(t, inner, Options{}, secure, func(http.ResponseWriter, *http.Request) {})
					c := newClient(t, inner, secure)
					if before != "" {
						write(t, c, before)
						c.status(t)
					}
					write(t, c, test.request)
					if got := c.status(t); got != test.status {
						t.Errorf("the status is %d, want %d", got, test.status)
					}
					_, _ = io.Copy(io.Discard, c)
					if test.counted > 0 {
						r.line(t, "reason=malformed_request address="+c.LocalAddr().String())
					}
					if n := r.total(t, "realtime_http_refusals_total", ""); n != test.counted {
						t.Errorf("%v were counted, want %v", n, test.counted)
					}
				})
			}
		}
	}
}

// HTTP/2 without TLS is refused in words, since a client or proxy was configured for it.
func TestHTTP2InTheClear(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"", get} {
		inner := listen(t)
		r := serve(t, inner, Options{}, false, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				t.Errorf("the handler got %s %s", r.Method, r.RequestURI)
			}
		})
		c := newClient(t, inner, false)
		if before != "" {
			write(t, c, before)
			c.status(t)
		}
		write(t, c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		answer, err := io.ReadAll(c)
		if text := string(answer); err != nil || !strings.HasPrefix(text, "HTTP/1.1 505 ") || !strings.Contains(text, "HTTP/2") || strings.Count(text, "\r\n\r\n") != 1 {
			t.Errorf("the answer is %q (%v)", text, err)
		}
		r.line(t, "reason=http2")
		if n, all := r.total(t, "realtime_http_refusals_total", "http2"), r.total(t, "realtime_http_refusals_total", ""); n != 1 || all != 1 {
			t.Errorf("%v were counted, %v in all, want 1", n, all)
		}
	}
}

// A client that makes no request is not refused.
func TestNoRequest(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		for _, before := range []string{"", get} {
			inner := listen(t)
			r := serve(t, inner, Options{}, secure, func(http.ResponseWriter, *http.Request) {})
			raw := dial(t, inner)
			c := over(raw, secure)
			write(t, c, before)
			if before != "" {
				c.status(t)
			}
			_ = raw.CloseWrite()
			if _, err := io.Copy(io.Discard, raw); err != nil {
				t.Error(err)
			}
			if n := r.total(t, "realtime_http_refusals_total", ""); n != 0 {
				t.Errorf("%v were counted, want none", n)
			}
		}
	}
}

// A connection that ends between two requests has not been late with its first one,
// however long it has lived.
func TestIdleConnectionIsNoOpeningTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := newPipes()
		r := serve(t, in, Options{}, false, func(http.ResponseWriter, *http.Request) {})
		c := over(in.dial(), false)
		write(t, c, get)
		c.status(t)
		time.Sleep(10 * time.Second) // virtual
		_ = c.Close()
		synctest.Wait()
		if n := r.total(t, "realtime_opening_timeouts_total", ""); n != 0 {
			t.Errorf("%v opening timeouts are counted, want none", n)
		}
	})
}
