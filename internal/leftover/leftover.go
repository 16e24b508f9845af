// Package leftover reads what is left of a request's body when its answer is
// written. Safe for concurrent use by requests; it never changes an answer.
package leftover

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// What is read of a request's body after the answer.
const (
	size  = 16 << 20 // bytes
	delay = 2 * time.Second
)

// Body notices whether a body was read to its end. It belongs to one request.
type Body struct {
	io.ReadCloser
	ended bool
}

// Watch returns the body of a request of net/http.
func Watch(body io.ReadCloser) *Body { return &Body{body, body == http.NoBody} }

// Read reads from the body.
func (b *Body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || err != nil
	return n, err
}

// Discard sends the answer that has been written, and reads on for 2 s and 16 MiB
// at the most when the body goes on: a client that sends all of it before it reads
// would see its connection reset instead of the answer (RFC 9112 section 9.6).
// HTTP/2 ends the request alone, and needs no such help.
func (b *Body) Discard(w http.ResponseWriter, protoMajor int) {
	if b.ended || protoMajor != 1 {
		return
	}
	c := http.NewResponseController(w)
	if c.SetReadDeadline(time.Now().Add(delay)) != nil || c.Flush() != nil {
		return // the server cannot bound the time, or the client is gone
	}
	_, _ = io.CopyN(io.Discard, b, size)
}

// Handler reads what next leaves of a body, unless it takes the connection over.
func Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || r.Body == http.NoBody { // as with every WebSocket
			next.ServeHTTP(w, r)
			return
		}
		body, answer := Watch(r.Body), &answer{ResponseWriter: w}
		r = r.WithContext(r.Context())
		r.Body = body
		next.ServeHTTP(answer, r)
		if !answer.hijacked {
			body.Discard(w, r.ProtoMajor)
		}
	})
}

// answer notices whether the connection was taken over.
type answer struct {
	http.ResponseWriter
	hijacked bool
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Hijack lets the caller take over the connection.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(a.ResponseWriter).Hijack()
	a.hijacked = a.hijacked || err == nil
	return conn, buffered, err
}
