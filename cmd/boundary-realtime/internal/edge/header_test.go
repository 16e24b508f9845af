package edge

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"boundary-app.org/realtime/internal/loglimit"
)

// A header over the limit is refused by net/http, which neither calls the handler
// nor logs it.
func TestHeaderTooLarge(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return "GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("a", n) + "\r\n\r\n" }
	body := func(n int) string {
		return fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", n, strings.Repeat("a", n))
	}
	const limit = 16 << 10
	for _, test := range []struct {
		name     string
		requests []string // each is answered before the next is sent
		statuses []int
		counted  float64
	}{
		{"just below", []string{long(limit - 100)}, []int{200}, 0},
		{"just above", []string{long(limit + 100)}, []int{431}, 1},
		{"far above", []string{long(1 << 20)}, []int{431}, 1},
		{"the second request", []string{get, long(2 * limit)}, []int{200, 431}, 1},
		{"many that are not", []string{long(limit - 100), long(limit - 100), long(limit - 100)}, []int{200, 200, 200}, 0},
		{"a long body", []string{body(100 << 10), "nonsense\r\n\r\n"}, []int{200, 400}, 0},
		{"no request", []string{"nonsense\r\n\r\n"}, []int{400}, 0},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(test.name+" tls="+strconv.FormatBool(secure), func(t *testing.T) {
				t.Parallel()
				inner := listen(t)
				r := serve(t, inner, Options{HeaderSize: limit}, secure, func(http.ResponseWriter, *http.Request) {})
				c := newClient(t, inner, secure)
				for i, request := range test.requests {
					go func() { _, _ = io.WriteString(c, request) }() // the rest is not read after 431
					if got := c.status(t); got != test.statuses[i] {
						t.Errorf("request %d: %d, want %d", i, got, test.statuses[i])
					}
				}
				if test.counted > 0 {
					line := r.line(t, "reason=header_too_large")
					if !strings.Contains(line, "address="+c.LocalAddr().String()) || !strings.Contains(line, "header_size=16384") {
						t.Errorf("the line is %q", line)
					}
				}
				_ = c.Close()
				if n := r.total(t, "realtime_http_refusals_total", "header_too_large"); n != test.counted {
					t.Errorf("%v were counted, want %v", n, test.counted)
				}
			})
		}
	}
}

// What net/http logs is limited in rate, and TLS apart from the rest.
func TestErrorLogIsLimited(t *testing.T) {
	t.Parallel()
	inner := listen(t)
	r := serve(t, inner, Options{}, true, func(http.ResponseWriter, *http.Request) { panic("broken") })
	for range 2 * loglimit.Burst {
		c := dial(t, inner)
		write(t, c, "garbage\r\n\r\n")
		_, _ = io.Copy(io.Discard, c)
	}
	c := newClient(t, inner, true)
	write(t, c, get)
	lines := 1
	for !strings.Contains(<-r.lines, "http: panic serving "+c.LocalAddr().String()) {
		lines++
	}
	if lines > loglimit.Burst+5 { // one a second more
		t.Errorf("%d lines, want %d and one", lines, loglimit.Burst)
	}
}
