package engine

import (
	"net"

	"boundary-app.org/realtime/internal/socket"
)

// offLoop is the portable path: a connection whose socket the loop cannot own
// (TLS, pipes, an application's transport, other systems). A goroutine reads
// and waits for the loop to take what it read; another writes, and exists only
// while something waits. All decisions stay with the loop.
type offLoop struct {
	link link
	more chan struct{} // lets the reader read on; closed with the connection

	// owned by the loop
	writing bool
	idle    bool // the reader waits for more
}

// link is what an offLoop connection reads from and writes to.
type link interface {
	write(frames [][]byte) error
	shut() // ends our direction of the stream
	close()
}

func newOffLoop(l link) *offLoop { return &offLoop{link: l, more: make(chan struct{}, 1)} }

// readSize is what is read at a time. It is what an idle connection keeps.
const readSize = 1 << 10

// delivery is what a reader hands to the loop. The reader does not touch data
// until it may read on.
type delivery struct {
	data []byte
	err  error
}

func (o *offLoop) start(c *Conn) {
	if n, ok := o.link.(*netLink); ok {
		c.shard.engine.workers.Go(func() { o.read(c, n.conn) })
	}
}

func (o *offLoop) read(c *Conn, conn net.Conn) {
	buf := make([]byte, readSize)
	for {
		n, err := conn.Read(buf)
		c.shard.post(task{run: (*shard).delivered, conn: c, arg: delivery{buf[:n], err}})
		if err != nil {
			return
		}
		if _, ok := <-o.more; !ok {
			return
		}
	}
}

// readOn lets the reader read again, if it waits.
func (o *offLoop) readOn() {
	if o.idle {
		o.idle = false
		o.more <- struct{}{}
	}
}

// delivered takes what a reader read.
func (s *shard) delivered(t *task) {
	c, d := t.conn, t.arg.(delivery)
	if c.state == gone {
		return
	}
	c.offLoop.idle = true
	s.feed(c, d.data)
	switch {
	case d.err != nil:
		s.doom(c)
	case c.state != gone && c.flags&flagPaused == 0:
		c.offLoop.readOn()
	}
}

// flushOffLoop starts a writer for what waits, unless one is at work.
func (s *shard) flushOffLoop(c *Conn) {
	o, b := c.offLoop, c.out
	if o.writing || len(b.chunks) == 0 {
		return
	}
	o.writing = true
	frames := b.chunks
	b.chunks = nil
	for _, f := range frames {
		b.flying += len(f) + chunkCost
	}
	s.engine.workers.Go(func() {
		err := o.link.write(frames)
		s.post(task{run: (*shard).wrote, conn: c, arg: err})
	})
}

// wrote takes the result of a writer.
func (s *shard) wrote(t *task) {
	c := t.conn
	if c.state == gone {
		return
	}
	c.offLoop.writing = false
	s.resize(c, -c.out.flying)
	c.out.flying = 0
	switch {
	case t.arg != nil:
		s.doom(c)
	case len(c.out.chunks) > 0:
		s.flushOffLoop(c)
	default:
		s.drained(c)
	}
}

// shut and close may block (TLS says goodbye), so they do not run on the loop.
func (o *offLoop) shut(e *Engine) { e.workers.Go(o.link.shut) }

func (o *offLoop) close(e *Engine) {
	close(o.more)
	e.workers.Go(o.link.close)
}

// netLink is a connection of the net package.
type netLink struct{ conn net.Conn }

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

func (l *netLink) shut() {
	if half, ok := l.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		return
	}
	l.close()
}

func (l *netLink) close() { _ = l.conn.Close() }

// transportLink is an application's own transport. It gets texts, not frames.
type transportLink struct{ transport Transport }

func (l *transportLink) write(frames [][]byte) error {
	for _, chunk := range frames {
		for len(chunk) > 0 {
			header, payload, _ := socket.FrameLen(chunk)
			op, body := socket.Opcode(chunk[0]&0x0f), chunk[header:header+payload]
			chunk = chunk[header+payload:]
			if err := l.writeOne(op, body); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *transportLink) writeOne(op socket.Opcode, body []byte) error {
	switch op {
	case socket.OpClose:
		if len(body) < 2 {
			return l.transport.Close(socket.CloseNoStatus, "")
		}
		return l.transport.Close(uint16(body[0])<<8|uint16(body[1]), string(body[2:]))
	case socket.OpText, socket.OpBinary:
		return l.transport.Send(body)
	}
	return nil
}

func (l *transportLink) shut()  {}
func (l *transportLink) close() {}
