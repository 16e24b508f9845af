package engine

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"boundary-app.org/realtime/internal/poll"
	"boundary-app.org/realtime/internal/socket"
)

// netLink is a connection of the net package. Under TLS over TCP it knows the
// descriptor below, which stays the connection's own: it is polled while there
// is no reader.
type netLink struct {
	conn net.Conn
	fd   int // -1: none
}

func (l *netLink) write(frames [][]byte) error {
	if len(frames) == 1 {
		_, err := l.conn.Write(frames[0])
		return err
	}
	if tcp, ok := l.conn.(*net.TCPConn); ok {
		buffers := net.Buffers(frames)
		_, err := buffers.WriteTo(tcp)
		return err
	}
	// Elsewhere net.Buffers writes one by one, which makes a TLS record and a
	// system call of each frame.
	var joined []byte
	for _, f := range frames {
		joined = append(joined, f...)
	}
	_, err := l.conn.Write(joined)
	return err
}

func (l *netLink) shutdownWrite() {
	if half, ok := l.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // lingering ends either way
		return
	}
	l.close()
}

func (l *netLink) close() { CloseConn(l.conn) }

// CloseConn closes a connection of the net package. What the client has not taken
// is dropped once it takes none of it for 30 s (Linux).
func CloseConn(conn net.Conn) {
	base := conn
	if secure, ok := base.(*tls.Conn); ok {
		base = secure.NetConn()
	}
	if base = poll.Bare(base); poll.Takes(base) {
		poll.AbandonConn(base, unreadTime)
	}
	_ = conn.Close()
}

// transportLink is an application's own transport. It gets texts, not frames.
// A panic of the application's becomes an error, and ends this connection alone.
type transportLink struct {
	engine    *Engine
	transport Transport
	closing   sync.Once
	closed    atomic.Bool // Close has been called
}

// guard runs one call of the application's.
func (l *transportLink) guard(name string, call func() error) (err error) {
	returned := false
	defer func() {
		reason := recover()
		if returned {
			return
		}
		if reason == nil {
			reason = "it called runtime.Goexit"
		}
		l.engine.metrics.CallbackPanics.Inc()
		l.engine.log.Error("a transport panicked", "call", name, "panic", fmt.Sprint(reason), "stack", string(debug.Stack()))
		err = errPanicked
	}()
	err = call()
	returned = true
	return err
}

var errPanicked = errors.New("the transport panicked")

func (l *transportLink) write(frames [][]byte) error {
	for _, chunk := range frames {
		for len(chunk) > 0 {
			header, payload, _ := socket.FrameLen(chunk)
			end := header + payload
			op, body := socket.Opcode(chunk[0]&0x0f), chunk[header:end:end]
			chunk = chunk[end:]
			if err := l.writeOne(op, body); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *transportLink) writeOne(op socket.Opcode, body []byte) error {
	if l.closed.Load() {
		return ErrClosed // it was cut while a Send was blocked
	}
	switch op {
	case socket.OpClose:
		if len(body) < 2 {
			return l.end(socket.CloseNoStatus, "")
		}
		return l.end(uint16(body[0])<<8|uint16(body[1]), string(body[2:]))
	case socket.OpText, socket.OpBinary:
		own := bytes.Clone(body) // the frames are shared with other connections
		return l.guard("Send", func() error { return l.transport.Send(own) })
	}
	return nil
}

func (l *transportLink) shutdownWrite() {}
func (l *transportLink) close()         { _ = l.end(socket.CloseAbnormal, "") }

func (l *transportLink) end(code uint16, reason string) (err error) {
	l.closing.Do(func() {
		l.closed.Store(true)
		err = l.guard("Close", func() error { return l.transport.Close(code, reason) })
	})
	return err
}
