package edge

import (
	"bufio"
	"net"
	"net/http"
)

// TakeOver returns a handler that may take over connections of a Listener: a hijacked
// connection is no longer limited, and without TLS it is the accepted connection itself.
func TakeOver(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(hijacker{w}, r)
	})
}

// hijacker returns the accepted connection when it is hijacked.
type hijacker struct{ http.ResponseWriter }

// Unwrap is for http.ResponseController.
func (h hijacker) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// Hijack lets the caller take over the connection.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	taken, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if c := below(taken); c != nil {
		c.release()
		if taken == net.Conn(c) {
			taken = c.Conn
		}
	}
	return taken, buffered, nil
}
