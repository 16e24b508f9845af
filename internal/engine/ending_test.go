package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/socket"
)

// answering is a connection whose handler answers each message, once it may.
type answering struct {
	Conn
	gate  chan struct{} // closed when the handler may go on
	heard chan struct{} // a message has come
	ended chan ending
}

func newAnswering() *answering {
	return &answering{gate: make(chan struct{}), heard: make(chan struct{}, 100), ended: make(chan ending, 1)}
}

// Receive and Closed are the handler.
func (a *answering) Receive(bool, []byte) {
	a.heard <- struct{}{}
	<-a.gate
	a.Conn.Send([]byte("answer"))
}

func (a *answering) Closed(code uint16, reason string) { a.ended <- ending{code, reason} }

// ways are the connections of the net package, by how their sockets are read.
var ways = map[string]func(t testing.TB) (server, client net.Conn){
	"loop": tcpPair,
	"off loop": func(t testing.TB) (server, client net.Conn) {
		server, client = tcpPair(t)
		return opaque{server}, client
	},
	"tls": tlsPair,
}

// eachWay connects a client whose handler is held back over each of the ways.
func eachWay(t *testing.T, change func(*Config), run func(t *testing.T, a *answering, client net.Conn)) {
	for name, connect := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, client := answer(t, newEngine(t, change), connect)
			a.Open(nil)
			run(t, a, client)
		})
	}
}

// answer registers a client over one of the ways. It is to be opened.
func answer(t *testing.T, e *Engine, connect func(testing.TB) (server, client net.Conn)) (a *answering, client net.Conn) {
	t.Helper()
	server, client := connect(t)
	_ = client.SetDeadline(time.Now().Add(10 * time.Second))
	a = newAnswering()
	if err := e.Register(&a.Conn, Spec{Conn: server, Handler: a, User: "u"}); err != nil {
		t.Fatal(err)
	}
	return a, client
}

func fromClient(op socket.Opcode, payload string) []byte {
	return socket.AppendMaskedFrame(nil, op, []byte(payload), [4]byte{1, 2, 3, 4})
}

// framesOf reads what a client gets to the end: op and payload of each frame.
func framesOf(t *testing.T, client net.Conn) (frames []string) {
	t.Helper()
	all, err := io.ReadAll(bufio.NewReader(client))
	if err != nil {
		t.Errorf("after %q: %v", all, err)
	}
	for len(all) > 0 {
		header, payload, _ := socket.FrameLen(all)
		frames = append(frames, fmt.Sprintf("%x %.6s", all[0], all[header:header+payload]))
		all = all[header+payload:]
	}
	return frames
}

// What a client said before it ended the connection is answered before the end,
// also when it has ended its stream meanwhile, and the end is the one it brought
// about.
func TestEndBehindTheHandler(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		last []byte
		code uint16
	}{
		"close":     {fromClient(socket.OpClose, "\x03\xe8bye"), 1000},
		"violation": {[]byte{0xf1, 0x80, 0, 0, 0, 0}, 1002},
	} {
		for _, half := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stream ended %v", name, half), func(t *testing.T) {
				t.Parallel()
				eachWay(t, nil, func(t *testing.T, a *answering, client net.Conn) {
					_, _ = client.Write(append(bytes.Repeat(fromClient(socket.OpText, "question"), 3), test.last...))
					if half {
						_ = client.(interface{ CloseWrite() error }).CloseWrite()
					}
					<-a.heard
					a.shard.engine.Members(bus.Everyone, "") // the end has been read, or will be
					close(a.gate)
					got := fmt.Sprintf("%q", framesOf(t, client))
					if want := fmt.Sprintf(`["81 answer" "81 answer" "81 answer" "88 \x03%s`, map[uint16]string{1000: `\xe8`, 1002: `\xea`}[test.code]); len(got) < len(want) || got[:len(want)] != want {
						t.Errorf("got %s, want %s…", got, want)
					}
					if end := <-a.ended; end.code != test.code {
						t.Errorf("the handler was told %d %q", end.code, end.reason)
					}
				})
			})
		}
	}
}

// A handler that does not return keeps a client from its close frame for
// CloseTimeout, no longer, and pings do not take its place.
func TestEndBehindAStuckHandler(t *testing.T) {
	t.Parallel()
	change := func(c *Config) {
		c.CloseTimeout, c.PingInterval, c.PongTimeout = 300*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	}
	eachWay(t, change, func(t *testing.T, a *answering, client net.Conn) {
		defer close(a.gate)
		_, _ = client.Write(append(fromClient(socket.OpText, "question"), fromClient(socket.OpClose, "\x03\xe8bye")...))
		frames := framesOf(t, client)
		if last := frames[len(frames)-1]; last != "88 \x03\xe8" {
			t.Errorf("got %q, want the close frame", frames)
		}
	})
}

// CloseNow on a client whose own close frame waits behind the handler ends it at once.
func TestCloseNowBehindTheHandler(t *testing.T) {
	t.Parallel()
	change := func(c *Config) { c.CloseTimeout = time.Hour }
	eachWay(t, change, func(t *testing.T, a *answering, client net.Conn) {
		_, _ = client.Write(append(bytes.Repeat(fromClient(socket.OpText, "question"), 3), fromClient(socket.OpClose, "\x03\xe8bye")...))
		<-a.heard
		for pending := false; !pending; {
			do(a.shard, func() { pending = a.state.awaitsHandler() })
		}
		if !a.CloseNow(4503, "out") {
			t.Error("it had ended")
		}
		frames := framesOf(t, client)
		close(a.gate)
		if len(frames) != 1 || frames[0] != "88 \x11\x97out" {
			t.Errorf("got %q, want a close frame alone", frames)
		}
		if end := <-a.ended; end.code != 4503 || len(a.heard) != 0 {
			t.Errorf("the handler was told %d, and of %d messages more", end.code, len(a.heard))
		}
	})
}

// A connection that turns out too slow when it opens is not opened after all.
func TestOpenWhenTooSlow(t *testing.T) {
	t.Parallel()
	change := func(c *Config) { c.Shards, c.MaxBacklog, c.MaxInbox = 1, 64<<10, 64<<20 }
	for name, connect := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, change)
			a, client := answer(t, e, connect)
			close(a.gate)
			e.Members(bus.Everyone, "")
			release := stall(e)
			for range 20 {
				e.Send(bus.User, "u", []byte(noise(8<<10)))
			}
			a.Open([]byte("hello"))
			release()
			if frames := framesOf(t, client); len(frames) != 1 || frames[0] != "88 \x0f\xa8too " {
				t.Errorf("got %q, want a close frame alone", frames)
			}
			consistent(t, e)
		})
	}
}
