package socket

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Hijack takes the connection of a request over, with no deadline set. buffered is a copy of what
// the client sent after the request and the server already read: the first input of a [Reader].
// It reaches through ResponseWriters with an Unwrap method; where that fails, the error wraps
// [errors.ErrUnsupported] and the request can still be answered. After any other error it cannot.
func Hijack(w http.ResponseWriter) (conn net.Conn, buffered []byte, err error) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, nil, fmt.Errorf("socket: hijack: give every http.ResponseWriter wrapper in front of this handler an Unwrap method: %w", err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("socket: hijack: %w", err)
	}
	// Peek of what is buffered reads nothing, and so cannot fail.
	peeked, _ := rw.Reader.Peek(rw.Reader.Buffered())
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, nil, fmt.Errorf("socket: hijack: clear deadlines: %w", errors.Join(err, conn.Close()))
	}
	return conn, bytes.Clone(peeked), nil
}
