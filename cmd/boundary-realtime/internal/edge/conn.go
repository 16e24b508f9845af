package edge

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// conn is an accepted connection, until it is closed or taken over.
type conn struct {
	net.Conn // static
	listener *Listener
	accepted time.Time

	phase    atomic.Int32 // fresh and so on
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

// The phases of a connection: fresh → begun → inHand ⇄ between. net/http may leave
// any of them out but the first.
const (
	fresh   int32 = iota // nothing of a request has come
	begun                // something of the first request has come
	inHand               // a handler has a request, or its answer ended the connection
	between              // a request was answered, and the next may come
)

// begin notes that net/http has a request, or takes something for one. Of a request
// after the first it does not always say so.
func (c *conn) begin() { c.phase.CompareAndSwap(fresh, begun) }

// requested notes that a handler has a request.
func (c *conn) requested() { c.phase.Store(inHand) }

// answered notes that a request was answered and the next may come.
func (c *conn) answered() {
	c.phase.Store(between)
	c.alone.Store(false)
	c.header.Store(0)
}

// Read reads what the client sent.
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

// alertSize is the most bytes with which TLS says that a connection ends. Answers
// have more.
const alertSize = 64

// partSize is how many bytes are written at once, so that a client that reads a
// long answer slowly is seen to read.
const partSize = 64 << 10

// CloseWrite tells the client that nothing more will come. With it net/http begins
// to end a connection without TLS.
func (c *conn) CloseWrite() error {
	c.ended.Do(c.count)
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// Close closes the connection, at once or when the client has taken what was
// written, for which it has the rest of AnswerTime.
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

// reset drops what the client has not taken, and closes.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Conn.Close()
}

// resetUnread is reset for a client that took too long.
func (c *conn) resetUnread() {
	c.reset()
	c.listener.report(slog.LevelInfo, unreadAnswer,
		"a connection was cut: its client does not read what it is answered", c.RemoteAddr().String())
}

// Bare returns the connection that was accepted. It can be polled in place of
// this one, which holds back nothing.
func (c *conn) Bare() net.Conn { return c.Conn }

// release ends the watch.
func (c *conn) release() {
	c.released.Store(true)
	c.unread.stop()
}
