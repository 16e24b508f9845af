package edge

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conn is an accepted connection until it is closed or taken over.
type conn struct {
	net.Conn // static
	listener *Listener
	accepted time.Time

	phase    atomic.Int32 // one of the phases below
	header   atomic.Int64 // bytes read since the last request was answered
	alone    atomic.Bool  // net/http answered without a handler
	released atomic.Bool
	ended    sync.Once
	proxied  *proxied // nil: no proxy protocol

	unread unread
}

func (l *Listener) watch(accepted net.Conn) *conn {
	c := &conn{Conn: accepted, listener: l, accepted: time.Now()}
	if l.opts.Proxies != nil {
		c.proxied = &proxied{}
	}
	c.unread.conn, c.unread.every = c, l.opts.AnswerTime/2
	return c
}

// The phases of a connection: fresh → begun → inHand ⇄ between. net/http may skip any but
// the first.
const (
	fresh   int32 = iota // no byte of a request has arrived
	begun                // a part of the first request has arrived
	inHand               // a handler has a request, or its answer ended the connection
	between              // a request was answered, and the next may arrive
)

// begin notes that net/http has a request, or data that it takes for one. For later
// requests it is not always called.
func (c *conn) begin() { c.phase.CompareAndSwap(fresh, begun) }

// requested notes that a handler has a request.
func (c *conn) requested() { c.phase.Store(inHand) }

// answered notes that a request was answered and the next may arrive.
func (c *conn) answered() {
	c.phase.Store(between)
	c.alone.Store(false)
	c.header.Store(0)
}

// Read reads from the client.
func (c *conn) Read(b []byte) (int, error) {
	if err := c.introduce(); err != nil {
		return 0, &net.OpError{Op: "read", Net: "tcp", Addr: c.Conn.RemoteAddr(), Err: err}
	}
	n, err := c.Conn.Read(b)
	c.header.Add(int64(n))
	return n, err
}

// Write writes to the client, which has AnswerTime to take it.
func (c *conn) Write(b []byte) (int, error) {
	if c.released.Load() {
		return c.Conn.Write(b)
	}
	if phase := c.phase.Load(); phase != fresh && phase != inHand && len(b) > alertSize {
		c.alone.Store(true)
	}
	total := 0
	for {
		part := b[total:min(total+partSize, len(b))]
		c.unread.add(len(part))
		n, err := c.Conn.Write(part)
		c.unread.wrote(n, err)
		if total += n; err != nil || total == len(b) {
			return total, err
		}
	}
}

// alertSize is the largest size of a TLS alert that ends a connection. Answers are larger.
const alertSize = 64

// partSize is the number of bytes that are written at once, so that progress of a slow
// client with a long answer is noticed.
const partSize = 64 << 10

// CloseWrite ends the direction to the client. net/http calls it first when it ends a
// connection without TLS.
func (c *conn) CloseWrite() error {
	c.ended.Do(c.count)
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close closes the connection, at once or when the client has taken all written bytes,
// within the rest of AnswerTime.
func (c *conn) Close() error {
	if c.released.Load() {
		return c.Conn.Close()
	}
	c.ended.Do(c.count)
	return c.unread.close()
}

// count counts a connection that ended before its request reached a handler.
func (c *conn) count() {
	l, phase := c.listener, c.phase.Load()
	switch {
	case phase == inHand:
	case c.header.Load() >= int64(l.opts.HeaderSize): // net/http reads no more, and answers 431
		l.report(slog.LevelWarn, headerTooLarge,
			"a request was refused with 431: its header is longer than header_size allows",
			c.RemoteAddr().String(), "header_size", l.opts.HeaderSize)
	case phase != between && time.Since(c.accepted) >= l.opts.HeaderTimeout: // net/http answers 400 to a part of a line
		l.opts.Figures.openingTimeouts.Inc()
	case c.alone.Load():
		l.report(slog.LevelInfo, malformedRequest,
			"a malformed request was refused with 400, 417, 501 or 505", c.RemoteAddr().String())
	}
}

// reset drops bytes that the client has not taken, and closes the connection.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Conn.Close()
}

// resetUnread is reset for a client that does not read in time.
func (c *conn) resetUnread() {
	c.reset()
	c.listener.report(slog.LevelInfo, unreadAnswer,
		"a connection was reset: its client does not read the answer", c.RemoteAddr().String())
}

// Bare returns the accepted connection. It can be polled in place of c, which buffers
// nothing.
func (c *conn) Bare() net.Conn { return c.Conn }

// release ends all limits, when the connection is taken over.
func (c *conn) release() {
	c.released.Store(true)
	c.unread.stop()
}
