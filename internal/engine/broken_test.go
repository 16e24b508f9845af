package engine

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"

	"boundary-app.org/realtime/internal/poll"
	"boundary-app.org/realtime/internal/socket"
)

// endings are how a client leaves that has sent all.
var endings = map[string]func(client net.Conn){
	"end of stream": func(client net.Conn) { _ = client.Close() },
	"reset":         vanish,
}

// sendAll writes data and waits until the other side's kernel has it.
func sendAll(t *testing.T, client net.Conn, data []byte) {
	t.Helper()
	if _, err := client.Write(data); err != nil {
		t.Fatal(err)
	}
	if secure, ok := client.(*tls.Conn); ok {
		client = secure.NetConn()
	}
	fd := poll.Descriptor(client)
	within(t, "all has arrived", func() bool {
		_, pending := poll.Acknowledged(fd)
		return pending == 0
	})
}

// A client that is held back and leaves loses nothing of what it had sent, whether
// that was read already or is with the kernel, and whether or not a write fails
// meanwhile: every message reaches the handler, and the end is the client's own.
func TestPausedConnectionOutlivesItsSocket(t *testing.T) {
	t.Parallel()
	for way, connect := range ways {
		for ending, leave := range endings {
			for _, size := range []int{1, 500} { // all is read; most of it is not
				for _, closeFrame := range []bool{false, true} {
					for _, write := range []bool{false, true} {
						name := fmt.Sprintf("%s, %s, messages of %d, close frame %v, write %v", way, ending, size, closeFrame, write)
						t.Run(name, func(t *testing.T) {
							t.Parallel()
							k, client := collect(t, newEngine(t, nil), connect, nil)
							k.Open(nil)
							leaveHeldBack(t, k, client, size, closeFrame, leave, write)
						})
					}
				}
			}
		}
	}
}

func leaveHeldBack(t *testing.T, k *collector, client net.Conn, size int, closeFrame bool, leave func(net.Conn), write bool) {
	const count = 120
	e, code := k.shard.engine, uint16(1006)
	var data []byte
	for i := range count {
		data = append(data, fromClient(socket.OpText, fmt.Sprint(i, strings.Repeat(" ", size)))...)
	}
	if closeFrame {
		data, code = append(data, fromClient(socket.OpClose, "\x03\xe8")...), 1000
	}
	sendAll(t, client, data)
	k.waitPaused(t)
	leave(client)
	for range 3 {
		if write {
			k.Send([]byte("to no one"))
		}
		consistent(t, e)
	}
	close(k.gate)
	if end := <-k.ended; end.code != code {
		t.Errorf("the handler was told %d, want %d", end.code, code)
	}
	for i, text := range k.got {
		if strings.TrimSpace(text) != fmt.Sprint(i) {
			t.Fatalf("message %d is %.9q", i, text)
		}
	}
	if len(k.got) != count {
		t.Errorf("%d of %d messages came", len(k.got), count)
	}
	within(t, "the socket is closed", func() bool { return e.Open() == 0 })
}

// A write that fails before the loop has read what the client sent last costs none
// of it.
func TestFailedWriteLosesNoInput(t *testing.T) {
	t.Parallel()
	for way, connect := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, func(c *Config) { c.Shards = 1 })
			k, client := collect(t, e, connect, nil)
			k.Open(nil)
			close(k.gate)
			consistent(t, e) // it is opened
			release := stall(e)
			sendAll(t, client, append(flood(50, 20), fromClient(socket.OpClose, "\x03\xe8")...))
			vanish(client)
			k.Send([]byte("to no one"))
			release()
			if end := <-k.ended; end.code != 1000 || len(k.got) != 50 {
				t.Errorf("%d messages came, then %d", len(k.got), end.code)
			}
		})
	}
}

// waitPaused waits until the connection is not read, since its handler is behind.
func (k *collector) waitPaused(t *testing.T) {
	t.Helper()
	within(t, "it is paused", func() (paused bool) {
		do(k.shard, func() { paused = k.flags&flagPaused != 0 })
		return paused
	})
}

// A client whose messages wait in the kernel, unread by choice, is not read any
// more once its connection is closed or its failed socket has had its time.
func TestBrokenConnectionIsClosed(t *testing.T) {
	t.Parallel()
	for way, connect := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, nil)
			k, client := collect(t, e, connect, nil)
			k.Open(nil)
			sendAll(t, client, []byte(strings.Repeat(string(fromClient(socket.OpText, strings.Repeat(" ", 500))), 120)))
			k.waitPaused(t)
			vanish(client)
			within(t, "the failure is known", func() (known bool) {
				k.Send([]byte("to no one"))
				do(k.shard, func() { known = k.state == broken })
				return known
			})
			consistent(t, e)
			k.Conn.Close(4000, "enough")
			within(t, "the socket is closed", func() bool { return e.Open() == 0 })
			close(k.gate)
			if end := <-k.ended; end.code != 4000 || len(k.got) > queueHigh+1 {
				t.Errorf("%d messages came, then %d", len(k.got), end.code)
			}
		})
	}
}
