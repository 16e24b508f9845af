//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"boundary-app.org/realtime/bench/internal/frame"
)

const readBuffer = 256 << 10

type state uint8

const (
	handshaking state = iota
	open
	stalled // open, and reads no more
	ended   // was stalled, and is gone
)

// conn is one WebSocket connection.
type conn struct {
	fd    int
	state state
	next  uint64 // sequence number of the next message due; none: no message is
	step  uint64 // distance between the messages of this connection
	carry []byte // a frame, or handshake answer, that has not arrived whole
}

// client owns all sockets. One goroutine, locked to its thread, runs it.
type client struct {
	epoll  int
	wake   int // eventfd, readable when something outside the loop has ended
	events []unix.EpollEvent
	buffer []byte
	hello  []byte // frame to send first
	conns  []conn
	opened int // handshakes completed
	others int // frames that were no deliveries
	count  counter
}

// wakeIndex takes the place of a connection's index in epoll's data.
const wakeIndex = -1

func newClient(hello string) (*client, error) {
	c := &client{
		events: make([]unix.EpollEvent, 512),
		buffer: make([]byte, readBuffer),
	}
	if hello != "" {
		c.hello = frame.AppendClient(nil, frame.Text, []byte(hello))
	}
	var err error
	if c.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	if c.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("eventfd: %w", errors.Join(err, unix.Close(c.epoll)))
	}
	return c, c.watch(unix.EPOLL_CTL_ADD, c.wake, wakeIndex, unix.EPOLLIN)
}

// close resets all connections. The process ends after it, so that errors have
// no reader.
func (c *client) close() {
	for i := range c.conns {
		_ = unix.Close(c.conns[i].fd)
	}
	_ = unix.Close(c.wake)
	_ = unix.Close(c.epoll)
}

func (c *client) watch(op, fd, index int, events uint32) error {
	if err := unix.EpollCtl(c.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(index)}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// turn waits for events until the timeout and handles them. It returns how many
// there were, and whether the wake descriptor was among them.
func (c *client) turn(timeout time.Duration) (n int, woken bool, err error) {
	n, err = unix.EpollWait(c.epoll, c.events, int(timeout.Milliseconds()))
	if errors.Is(err, unix.EINTR) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("epoll: %w", err)
	}
	for _, e := range c.events[:n] {
		if e.Fd == wakeIndex {
			woken = true
			continue
		}
		if err := c.ready(int(e.Fd)); err != nil {
			return n, woken, fmt.Errorf("connection %d: %w", e.Fd, err)
		}
	}
	return n, woken, nil
}

// signal may be called from any goroutine; it makes turn report woken.
func (c *client) signal() error {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	return writeWhole(c.wake, one[:])
}

// awake takes the signal back.
func (c *client) awake() {
	var b [8]byte
	// Nothing to read means nothing to take back.
	_, _ = unix.Read(c.wake, b[:])
}

func (c *client) ready(i int) error {
	cn := &c.conns[i]
	if cn.state == stalled {
		cn.state = ended
		return c.watch(unix.EPOLL_CTL_DEL, cn.fd, i, 0)
	}
	kept := copy(c.buffer, cn.carry)
	n, err := unix.Read(cn.fd, c.buffer[kept:])
	now := time.Now().UnixNano()
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil:
		return fmt.Errorf("read: %w", err)
	case n == 0:
		return errors.New("the server closed it")
	}
	rest, err := c.take(i, c.buffer[:kept+n], now)
	cn.carry = append(cn.carry[:0], rest...)
	if err != nil {
		return err
	}
	return c.count.acknowledge()
}

// take consumes what it can of the octets that connection i has received.
func (c *client) take(i int, b []byte, now int64) (rest []byte, err error) {
	cn := &c.conns[i]
	if cn.state == handshaking {
		if b, err = c.handshake(i, b); err != nil || cn.state == handshaking {
			return b, err
		}
	}
	if len(cn.carry) == 0 && c.count.repeat(cn, b, now) {
		return nil, nil
	}
	first, others := cn.next, c.others
	rest, err = c.frames(cn, b, now)
	if err == nil && len(rest) == 0 && c.others == others && cn.next != first {
		c.count.remember(first, cn, b)
	}
	return rest, err
}

func (c *client) frames(cn *conn, b []byte, now int64) (rest []byte, err error) {
	for {
		f, rest, ok, err := frame.Next(b)
		if err != nil || !ok {
			return rest, err
		}
		if err := c.frame(cn, f, now); err != nil {
			return nil, err
		}
		b = rest
	}
}

func (c *client) frame(cn *conn, f frame.Frame, now int64) error {
	switch f.Op {
	case frame.Text, frame.Binary:
		return c.message(cn, f.Payload, now)
	case frame.Ping:
		c.others++
		return writeWhole(cn.fd, frame.AppendClient(nil, frame.Pong, f.Payload))
	case frame.Close:
		return fmt.Errorf("the server sent a close frame: %s", closeText(f.Payload))
	}
	c.others++
	return nil
}

func (c *client) message(cn *conn, b []byte, now int64) error {
	found, err := c.count.message(cn, b, now)
	if err != nil {
		return err
	}
	asked := c.hello != nil && hasPing(b)
	if !found || asked {
		c.others++
	}
	if asked {
		return writeWhole(cn.fd, frame.AppendClient(nil, frame.Text, []byte(ping)))
	}
	return nil
}

// ping is what centrifuge sends as a ping and expects back. It puts messages
// that wait together, one a line, and a ping may be among them.
const ping = "{}"

func hasPing(b []byte) bool {
	return string(b) == ping || bytes.HasPrefix(b, []byte(ping+"\n")) ||
		bytes.HasSuffix(b, []byte("\n"+ping)) || bytes.Contains(b, []byte("\n"+ping+"\n"))
}

func closeText(body []byte) string {
	if len(body) < 2 {
		return "no code"
	}
	return fmt.Sprintf("%d %q", binary.BigEndian.Uint16(body), body[2:])
}
