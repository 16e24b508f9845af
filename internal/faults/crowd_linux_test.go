package faults_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"boundary-app.org/realtime/internal/faults"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// crowd is many clients on one goroutine: with a goroutine each there would be
// more than the race detector takes. It belongs to one goroutine.
type crowd struct {
	target  unix.SockaddrInet4
	epoll   int
	buffer  []byte
	members []*member
	next    int // the next to connect
	pending int // connecting, or waiting for $connected
	open    int // were told $connected
	ended   int
}

// member is one client.
type member struct {
	user      string
	token     string
	protocols []string
	log       *faults.Log

	index   int32
	fd      int
	state   memberState
	carry   []byte // what has come of the handshake's answer
	reader  socket.Reader
	closing *float64       // reconnectAfter, once $closing has come
	code    wire.CloseCode // of the close frame, once it has come
	at      time.Time      // when that came
	wrong   error          // what must not be
}

type memberState uint8

const (
	connecting memberState = iota
	handshaking
	upgraded
	greeted // has seen $connected
	gone
)

// atOnce is how many handshakes are under way at a time.
const atOnce = 256

func newCrowd(public string, members []*member) (*crowd, error) {
	target, err := netip.ParseAddrPort(public)
	if err != nil {
		return nil, err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &crowd{
		target: unix.SockaddrInet4{Addr: target.Addr().As4(), Port: int(target.Port())},
		epoll:  epoll, buffer: make([]byte, 64<<10), members: members,
	}, nil
}

// close closes what is open.
func (c *crowd) close() {
	for _, m := range c.members[:c.next] {
		if m.state != gone {
			_ = unix.Close(m.fd)
		}
	}
	_ = unix.Close(c.epoll)
}

// run lets things happen until done returns true, or the deadline has passed.
func (c *crowd) run(deadline time.Time, done func() bool) error {
	events := make([]unix.EpollEvent, 512)
	for !done() {
		for c.next < len(c.members) && c.pending < atOnce {
			if err := c.connect(c.next); err != nil {
				return err
			}
		}
		n, err := unix.EpollWait(c.epoll, events, 20)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("epoll: %w", err)
		}
		for i := range max(n, 0) {
			c.happen(c.members[events[i].Fd], events[i].Events)
		}
		if time.Now().After(deadline) || c.ended > c.open {
			return fmt.Errorf("%d of %d clients were connected and %d have ended; the first error: %w",
				c.open, len(c.members), c.ended, c.firstWrong())
		}
	}
	return nil
}

// firstWrong returns an error of a member, nil when there is none.
func (c *crowd) firstWrong() error {
	for _, m := range c.members {
		if m.wrong != nil {
			return fmt.Errorf("%s: %w", m.user, m.wrong)
		}
	}
	return nil
}

// connect begins to connect the i-th member.
func (c *crowd) connect(i int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	m := c.members[i]
	m.fd, m.index = fd, int32(i)
	c.next++
	c.pending++
	if err := unix.Connect(fd, &c.target); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connect: %w", err)
	}
	return c.watch(unix.EPOLL_CTL_ADD, m, unix.EPOLLOUT)
}

func (c *crowd) watch(op int, m *member, events uint32) error {
	if err := unix.EpollCtl(c.epoll, op, m.fd, &unix.EpollEvent{Events: events, Fd: m.index}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// happen deals with what epoll tells of a member.
func (c *crowd) happen(m *member, events uint32) {
	switch {
	case m.state == gone:
	case m.state == connecting && events&unix.EPOLLOUT != 0:
		m.state = handshaking
		err := m.write(m.request())
		if err == nil {
			err = c.watch(unix.EPOLL_CTL_MOD, m, unix.EPOLLIN)
		}
		if err != nil {
			c.end(m, err)
		}
	default:
		c.read(m)
	}
}

// read takes what has come for a member.
func (c *crowd) read(m *member) {
	n, err := unix.Read(m.fd, c.buffer)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
	case m.code != 0 && (n == 0 || errors.Is(err, unix.ECONNRESET)):
		c.end(m, nil) // it answered the close frame too late for more than a reset
	case err != nil:
		c.end(m, fmt.Errorf("read: %w", err))
	case n == 0:
		c.end(m, errors.New("the stream ended without a close frame"))
	case m.code != 0:
		c.end(m, errors.New("octets follow the close frame"))
	default:
		before := m.state
		err := m.take(c.buffer[:n])
		if before != greeted && m.state == greeted {
			c.pending--
			c.open++
		}
		if err != nil {
			c.end(m, err)
		}
	}
}

// end closes a member's socket.
func (c *crowd) end(m *member, err error) {
	if m.state != greeted {
		c.pending--
	}
	if m.wrong == nil {
		m.wrong = err
	}
	m.state = gone
	c.ended++
	_ = unix.Close(m.fd)
}

func (m *member) request() []byte {
	request, _ := opening(m.token, m.protocols)
	var text bytes.Buffer
	_ = request.Write(&text) // to memory
	return text.Bytes()
}

// write writes a few octets to a socket whose buffer has room.
func (m *member) write(data []byte) error {
	if n, err := unix.Write(m.fd, data); err != nil || n < len(data) {
		return fmt.Errorf("%d of %d octets were written: %w", n, len(data), err)
	}
	return nil
}

// take works through what has come.
func (m *member) take(data []byte) error {
	if m.state == handshaking {
		m.carry = append(m.carry, data...)
		head, rest, whole := bytes.Cut(m.carry, []byte("\r\n\r\n"))
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) && (whole || len(m.carry) > 13) {
			return fmt.Errorf("the answer to the handshake is %.60q", head)
		}
		if !whole {
			return nil
		}
		m.carry, data = nil, rest
		m.state = upgraded
	}
	for {
		event, rest, err := m.reader.Next(&clientSide, false, data)
		if err != nil || event.Kind == socket.None {
			return err
		}
		if err := m.heed(event); err != nil {
			return err
		}
		data = rest
	}
}

// heed does what a frame asks for.
func (m *member) heed(event socket.Event) error {
	mask := [4]byte{1, 2, 3, 4} // nobody in between
	switch event.Kind {
	case socket.Ping:
		return m.write(socket.AppendMaskedFrame(nil, socket.OpPong, event.Data, mask))
	case socket.Close:
		m.code, m.at = wire.CloseCode(event.Code), time.Now()
		// Nobody may be there any more to take the answer.
		_ = m.write(socket.AppendMaskedFrame(nil, socket.OpClose, socket.AppendCloseBody(nil, event.Code, ""), mask))
	case socket.Message:
		f, err := parseFrame(event.Data)
		if err != nil {
			return err
		}
		m.hear(f)
	}
	return nil
}

func (m *member) hear(f frame) {
	switch {
	case f.Type == "$connected":
		m.state = greeted
		m.log.Open()
		m.log.Follow("everyone", nil)
		m.log.Follow("user "+m.user, nil)
	case f.Type == "$closing":
		m.closing = f.ReconnectAfter
	case f.Type == "stamp": // behind $closing too, but never behind the close frame
		m.log.Receive(f.Payload)
	}
}
