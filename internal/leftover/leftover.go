package api

import (
	"io"
	"net/http"
	"time"
)

// What is read of a request's body after the answer.
const (
	leftoverSize = 16 << 20 // bytes
	leftoverTime = 2 * time.Second
)

// requestBody notices whether a body was read to its end.
type requestBody struct {
	io.ReadCloser
	ended bool
}

// Read reads from the body.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || err != nil
	return n, err
}

// discardLeftover sends the answer that has been written, and reads on for a
// while when the body goes on: a client that sends all of it before it reads
// would see its connection reset instead of the answer (RFC 9112 section 9.6).
// HTTP/2 ends the request alone, and needs no such help.
func (b *requestBody) discardLeftover(w http.ResponseWriter, protoMajor int) {
	if b.ended || protoMajor != 1 {
		return
	}
	c := http.NewResponseController(w)
	if c.SetReadDeadline(time.Now().Add(leftoverTime)) != nil || c.Flush() != nil {
		return // the server cannot bound the time, or the client is gone
	}
	_, _ = io.CopyN(io.Discard, b, leftoverSize)
}
