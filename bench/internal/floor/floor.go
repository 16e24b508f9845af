//go:build linux

// Package floor is the least that a server can do: it answers the handshake and
// writes frames to bare descriptors. It reads nothing, checks nothing and never
// removes a connection, so that what it costs is the cost of send(2).
package floor

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"golang.org/x/sys/unix"
)

// guid is the constant of RFC 6455 section 1.3.
const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Sockets are the open connections, in the order in which they came. All
// methods may be called at any time; writes do not overlap.
type Sockets struct {
	mu          sync.Mutex
	descriptors []int
}

// Count returns the number of connections.
func (s *Sockets) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.descriptors)
}

// WriteAll writes b to every connection with one send(2) each. A connection
// that does not take all of it at once is an error.
func (s *Sockets) WriteAll(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fd := range s.descriptors {
		if err := write(fd, b); err != nil {
			return err
		}
	}
	return nil
}

// write enters the kernel without telling the scheduler: the descriptors do not
// block.
func write(fd int, b []byte) error {
	n, err := rawWrite(fd, b)
	switch {
	case err != nil:
		return fmt.Errorf("floor: write: %w", err)
	case n < len(b):
		return fmt.Errorf("floor: wrote %d of %d octets: %w", n, len(b), io.ErrShortWrite)
	}
	return nil
}

// ServeHTTP answers an upgrade and keeps the descriptor.
func (s *Sockets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Sec-WebSocket-Key")
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "cannot upgrade", http.StatusInternalServerError)
		return
	}
	// The descriptor kept is a duplicate.
	defer conn.Close()
	fd, err := duplicate(conn)
	if err != nil {
		return
	}
	// Locked first: a client that has read the answer is counted.
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := write(fd, response(key)); err != nil {
		_ = unix.Close(fd)
		return
	}
	s.descriptors = append(s.descriptors, fd)
}

func response(key string) []byte {
	sum := sha1.Sum([]byte(key + guid))
	return []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
}

func duplicate(conn net.Conn) (int, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return 0, errors.New("floor: not a TCP connection")
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("floor: descriptor: %w", err)
	}
	var fd int
	var dupErr error
	err = raw.Control(func(original uintptr) {
		fd, dupErr = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err = errors.Join(err, dupErr); err != nil {
		return 0, fmt.Errorf("floor: duplicate the descriptor: %w", err)
	}
	return fd, nil
}
