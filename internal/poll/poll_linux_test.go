package poll

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair returns a descriptor taken from a connection, and the other end.
func pair(t *testing.T) (fd int, peer net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	peer, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	fd, ok := Take(conn)
	if !ok {
		t.Fatal("a TCP connection was not taken")
	}
	if _, err := conn.Write([]byte("x")); err == nil {
		t.Error("the connection is still open beside its descriptor")
	}
	return fd, peer
}

func newPoller(t *testing.T) *Poller {
	t.Helper()
	p, err := New(16)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func wait(t *testing.T, p *Poller) Event {
	t.Helper()
	events, err := p.Wait(nil)
	if err != nil || len(events) != 1 {
		t.Fatalf("wait: %v, %v; want one event", events, err)
	}
	return events[0]
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	fd, peer := pair(t)
	token := Token{Slot: 7, Generation: 9}
	if err := p.Add(fd, token); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	if _, err := Read(fd, buf); !errors.Is(err, ErrAgain) {
		t.Errorf("read of nothing: %v, want ErrAgain", err)
	}
	if _, err := peer.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if e := wait(t, p); e != (Event{Token: token, Readable: true}) {
		t.Errorf("event %+v, want readable", e)
	}
	if n, err := Read(fd, buf); string(buf[:n]) != "hello" || err != nil {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	if err := p.Modify(fd, token, false, true); err != nil {
		t.Fatal(err)
	}
	if e := wait(t, p); e != (Event{Token: token, Writable: true}) {
		t.Errorf("event %+v, want writable", e)
	}
	if err := Close(fd); err != nil {
		t.Error(err)
	}
}

func TestWriteUntilFull(t *testing.T) {
	t.Parallel()
	fd, peer := pair(t)
	chunk := bytes.Repeat([]byte("0123456789"), 10_000)
	written := 0
	for turn := 0; ; turn++ {
		var n int
		var err error
		if turn%2 == 0 {
			n, err = Write(fd, chunk)
		} else {
			n, err = Writev(fd, [][]byte{chunk[:1000], chunk[1000:]})
		}
		written += n
		if errors.Is(err, ErrAgain) {
			break
		}
		if err != nil {
			t.Fatalf("write: %v", err)
		}
		if n < len(chunk) {
			continue // the next one finds the socket full
		}
	}
	if err := CloseWrite(fd); err != nil {
		t.Fatal(err)
	}
	got, err := io.Copy(io.Discard, peer)
	if int(got) != written || err != nil {
		t.Errorf("the peer read %d octets, %v; %d were written", got, err, written)
	}
	if err := Close(fd); err != nil {
		t.Error(err)
	}
}

// What the peer does not take is gone some time after the descriptor is closed.
func TestAbandon(t *testing.T) {
	t.Parallel()
	fd, peer := pair(t)
	address, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	remote := peer.LocalAddr().(*net.TCPAddr).Port
	ports := fmt.Sprintf(":%04X 0100007F:%04X ", address.(*unix.SockaddrInet4).Port, remote)
	for err := error(nil); err == nil; {
		_, err = Write(fd, make([]byte, 64<<10))
	}
	Abandon(fd, 300*time.Millisecond)
	if err := Close(fd); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
		sockets, err := os.ReadFile("/proc/self/net/tcp")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(sockets, []byte(ports)) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the kernel still has what was not read")
		}
	}
}

func TestHangup(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	fd, peer := pair(t)
	if err := p.Add(fd, Token{Slot: 1}); err != nil {
		t.Fatal(err)
	}
	if err := p.Modify(fd, Token{Slot: 1}, false, false); err != nil {
		t.Fatal(err)
	}
	if err := peer.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = peer.Close() // a reset
	if e := wait(t, p); !e.Hangup {
		t.Errorf("event %+v, want a hangup though nothing was asked for", e)
	}
	if _, err := Write(fd, []byte("x")); err == nil || errors.Is(err, ErrAgain) {
		t.Errorf("write after a reset: %v", err)
	}
	_ = Close(fd)
}

func TestCloseEndsWait(t *testing.T) {
	t.Parallel()
	p := newPoller(t)
	done := make(chan error)
	go func() {
		_, err := p.Wait(nil)
		done <- err
	}()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("wait: %v, want ErrClosed", err)
	}
}

func TestTakesOnlyPlainConnections(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	if Takes(a) {
		t.Error("a pipe is taken")
	}
}
