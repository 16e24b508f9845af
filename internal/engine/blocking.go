package engine

import (
	"errors"
	"os"
	"time"

	"boundary-app.org/realtime/internal/poll"
	"boundary-app.org/realtime/internal/socket"
)

// blockingConn is the portable path: a connection whose socket the loop does not
// read and write itself (TLS, pipes, an application's transport, other systems). A
// goroutine reads and waits until the loop has taken what it read; another writes,
// and exists only while something waits. All decisions are the loop's.
type blockingConn struct {
	link link
	more chan struct{} // has the reader read again; closed with the connection

	// owned by the loop
	writing bool
	since   tick // when the writer last made progress, or began
	started bool // there has been a reader
	idle    bool // the reader waits for more
	polled  bool // there is no reader; the poller watches the socket
}

// link is what a blockingConn reads from and writes to. All methods may block.
type link interface {
	write(frames [][]byte) error
	shutdownWrite() // ends our direction of the stream
	close()
}

func newBlockingConn(l link) *blockingConn {
	return &blockingConn{link: l, more: make(chan struct{}, 1)}
}

const (
	// readSize is the size of a reader's buffer. Where no descriptor can be polled,
	// an idle connection keeps such a buffer, and a goroutine.
	readSize = 1 << 10
	// readLinger is how long a reader under TLS waits for more before it ends
	// and leaves the waiting to the poller.
	readLinger = 500 * time.Millisecond
)

// delivery is the result of a read. The reader does not touch data until resumeReader.
type delivery struct {
	data []byte
	err  error
}

// start starts a reader, except for an application's transport.
func (o *blockingConn) start(c *Conn) {
	if l, ok := o.link.(*netLink); ok {
		c.shard.engine.workers.Go(func() { o.read(c, l) })
	}
}

func (o *blockingConn) read(c *Conn, l *netLink) {
	buf := make([]byte, readSize)
	for {
		if l.fd >= 0 {
			_ = l.conn.SetReadDeadline(time.Now().Add(readLinger))
		}
		n, err := l.conn.Read(buf)
		if n == 0 && l.fd >= 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			c.shard.post(task{run: (*shard).stopReader, conn: c})
			return
		}
		if n > 0 {
			c.shard.post(task{run: (*shard).takeInput, conn: c, arg: delivery{data: buf[:n]}})
			if _, ok := <-o.more; !ok {
				return
			}
		}
		if err != nil { // which comes behind the data also where the handler is behind
			c.shard.post(task{run: (*shard).takeInput, conn: c, arg: delivery{err: err}})
			return
		}
	}
}

// stopReader has the poller watch a TLS connection whose reader has ended. What is
// left in the TLS layer is at most a part of a record: the rest of it makes the
// socket readable.
func (s *shard) stopReader(t *task) {
	c := t.conn
	if c.state == dead {
		return
	}
	l := c.blocking.link.(*netLink)
	if err := s.poller.Add(l.fd, poll.Token{Slot: c.slot, Generation: c.generation}); err != nil {
		s.engine.log.Warn("cannot poll under TLS; the connection keeps a reader", "error", err)
		l.fd = -1
		_ = l.conn.SetReadDeadline(time.Time{})
		c.blocking.start(c)
		return
	}
	c.blocking.polled = true
}

// startReader starts a reader when the socket of a polled connection is ready.
func (s *shard) startReader(c *Conn) {
	if !c.blocking.polled {
		return
	}
	l := c.blocking.link.(*netLink)
	if err := s.poller.Remove(l.fd); err != nil {
		s.disconnected(c)
		return
	}
	c.blocking.polled = false
	c.blocking.start(c)
}

// resumeReader starts the first reader, or has the reader read again, if it waits.
func (o *blockingConn) resumeReader(c *Conn) {
	if !o.started {
		o.started = true
		o.start(c)
		return
	}
	if o.idle {
		o.idle = false
		o.more <- struct{}{}
	}
}

// takeInput takes the result of a read.
func (s *shard) takeInput(t *task) {
	c, d := t.conn, t.arg.(delivery)
	if c.state == dead {
		return
	}
	c.blocking.idle = true
	s.feed(c, d.data, owned)
	switch {
	case d.err != nil:
		s.inputEnded(c) // there is no reader any more
	case c.state != dead && c.flags&flagPaused == 0:
		c.blocking.resumeReader(c)
	}
}

// pieceSize is about how many bytes a writer takes at a time. What it has taken
// cannot be dropped any more; each piece that is written is progress.
const pieceSize = 64 << 10

// startWriter starts a writer for what waits, unless one is at work.
func (s *shard) startWriter(c *Conn) {
	o, b := c.blocking, c.out
	if o.writing || len(b.chunks) == 0 {
		return
	}
	o.writing, o.since = true, s.tick()
	frames := b.take(pieceSize)
	if len(b.chunks) == 0 {
		c.flags &^= flagPingWaits
	}
	s.engine.workers.Go(func() {
		err := errPanicked // unless the link returns
		defer func() { s.post(task{run: (*shard).writerDone, conn: c, arg: err}) }()
		err = o.link.write(frames)
	})
}

// keepsUp reports whether a writer is at work and makes progress. What the kernel
// buffers for a socket of the loop's waits in the backlog here, so that a backlog
// may for a while be as large as the kernel's buffer would be.
func (o *blockingConn) keepsUp(waiting, limit int, now tick) bool {
	return o.writing && now-o.since < ticks(stallTime) && waiting <= kernelShare*limit
}

const (
	stallTime   = 200 * time.Millisecond
	kernelShare = 4
)

// writerDone takes the result of a writer.
func (s *shard) writerDone(t *task) {
	c := t.conn
	if c.state == dead {
		return
	}
	c.blocking.writing = false
	c.out.confirm()
	if t.arg == nil && c.descriptor() < 0 && (c.flags&flagPingWaits != 0 || c.options&optTransport != 0) {
		s.heard(c) // the peer, or a proxy before it, takes what comes before the ping; a transport has taken the ping
	}
	switch {
	case t.arg == errPanicked:
		s.transition(c, onDisconnect, cause{ending: ending{socket.CloseInternal, errPanicked.Error()}})
	case t.arg != nil:
		s.writeFailed(c)
	case len(c.out.chunks) > 0:
		s.startWriter(c)
	default:
		s.drained(c)
	}
}

// shutdownWrite and close may block (TLS sends an alert), so they do not run on the loop.
func (o *blockingConn) shutdownWrite(e *Engine) { e.workers.Go(o.link.shutdownWrite) }

func (o *blockingConn) close(e *Engine) {
	close(o.more)
	e.workers.Go(o.link.close)
}
