package engine

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/socket"
)

// compressed is a message as a client with permessage-deflate sends it.
func compressed(payload string) []byte {
	return socket.AppendMaskedDeflatedFrame(nil, socket.OpText, []byte(payload), [4]byte{1, 2, 3, 4})
}

// collector is a connection whose handler keeps what it gets, once it may.
type collector struct {
	Conn
	gate  chan struct{}
	got   []string // owned by the handler until ended
	ended chan ending
}

func newCollector() *collector {
	return &collector{gate: make(chan struct{}), ended: make(chan ending, 1)}
}

// Receive and Closed are the handler.
func (k *collector) Receive(_ bool, data []byte) {
	<-k.gate
	k.got = append(k.got, string(data))
}

func (k *collector) Closed(code uint16, reason string) { k.ended <- ending{code, reason} }

// collect connects a client over one of the ways.
func collect(t *testing.T, e *Engine, connect func(testing.TB) (server, client net.Conn), buffered []byte) (k *collector, client net.Conn) {
	t.Helper()
	server, client := connect(t)
	_ = client.SetDeadline(time.Now().Add(20 * time.Second))
	k = newCollector()
	if err := e.Register(&k.Conn, Spec{Conn: server, Handler: k, User: "u", Deflate: true, Buffered: buffered}); err != nil {
		t.Fatal(err)
	}
	return k, client
}

// waiting returns what waits for the handler, and what was read and not fed.
func (k *collector) waiting() (messages, size, rest int) {
	do(k.shard, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.calls != nil {
			for _, m := range k.calls.queue {
				messages++
				size += len(m.data)
			}
		}
		rest = len(k.shard.rests[&k.Conn])
	})
	return messages, size, rest
}

// waitRest waits until the connection is paused with a rest.
func (k *collector) waitRest(t *testing.T) {
	t.Helper()
	within(t, "a rest waits", func() bool {
		_, _, rest := k.waiting()
		return rest > 0
	})
}

// within waits for a state that other goroutines bring about.
func within(t testing.TB, what string, reached func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 10_000 {
		if reached() {
			return
		}
		<-tick.C
	}
	t.Fatalf("not reached: %s", what)
}

// floods are messages that a client sends as one, by what is the limit.
var floods = map[string]struct {
	text  string
	count int
	frame func(string) []byte
}{
	"small":            {"message %d", 500, func(s string) []byte { return fromClient(socket.OpText, s) }},
	"small compressed": {"message %d, which is long enough for a compressed form of it to be of any use, of any use, of any use", 500, compressed},
	"bombs":            {string(bytes.Repeat([]byte("x"), 60<<10)) + "%d", 100, compressed},
	"large":            {string(bytes.Repeat([]byte("x"), 60<<10)) + "%d", 12, func(s string) []byte { return fromClient(socket.OpText, s) }},
}

// However much of it one read brings, what waits for a handler is bounded as the
// limits say; nothing of it is lost, changed or reordered, and the client's close
// frame comes behind all of it.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	for flood, f := range floods {
		for way, connect := range ways {
			t.Run(flood+", "+way, func(t *testing.T) {
				t.Parallel()
				e := newEngine(t, nil)
				k, client := collect(t, e, connect, nil)
				k.Open(nil)
				var sent []string
				var wire []byte
				for i := range f.count {
					sent = append(sent, fmt.Sprintf(f.text, i))
					wire = append(wire, f.frame(sent[i])...)
				}
				wire = append(wire, fromClient(socket.OpClose, "\x03\xe8")...)
				go func() { _, _ = client.Write(wire) }()
				within(t, "the client is held back", func() (paused bool) {
					do(k.shard, func() { paused = k.flags&flagPaused != 0 })
					return paused
				})
				if messages, size, rest := k.waiting(); messages > queueHigh || size >= 3*e.cfg.MaxMessage || rest > readBuffer {
					t.Errorf("%d messages of %d bytes wait, and %d bytes behind them", messages, size, rest)
				}
				consistent(t, e)
				close(k.gate)
				framesOf(t, client)
				if end := <-k.ended; end.code != 1000 {
					t.Errorf("closed with %d", end.code)
				}
				if !slices.Equal(k.got, sent) {
					t.Errorf("%d of %d messages came, or not as they were sent", len(k.got), len(sent))
				}
				if n := len(k.shard.rests); n > 0 {
					t.Errorf("%d rests are left", n)
				}
			})
		}
	}
}

// flood is many messages, one of them a ping where one is asked for.
func flood(count, pingAt int) (wire []byte) {
	for i := range count {
		if i == pingAt {
			wire = append(wire, fromClient(socket.OpPing, "here")...)
		}
		wire = append(wire, fromClient(socket.OpText, fmt.Sprint(i))...)
	}
	return wire
}

// What came with the handshake waits like everything else.
func TestRestOfTheHandshake(t *testing.T) {
	t.Parallel()
	for way, connect := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			k, client := collect(t, newEngine(t, nil), connect, append(flood(300, 200), fromClient(socket.OpClose, "\x03\xe8")...))
			k.waitRest(t)
			if messages, _, _ := k.waiting(); messages != queueHigh {
				t.Errorf("%d messages wait, want %d", messages, queueHigh)
			}
			close(k.gate)
			k.Open(nil)
			if frames, want := framesOf(t, client), []string{"8a here", "88 \x03\xe8"}; !slices.Equal(frames, want) {
				t.Errorf("got %q, want %q", frames, want)
			}
			if <-k.ended; len(k.got) != 300 {
				t.Errorf("%d messages came", len(k.got))
			}
		})
	}
}

// Each connection of a shard keeps its own rest, and is not read before the handler
// has had all of it, whether the rest came with the handshake or behind it.
func TestRestsOfOneShard(t *testing.T) {
	t.Parallel()
	const count = 400
	for way, connect := range ways {
		for _, early := range []int{0, 200} { // come with the handshake
			t.Run(fmt.Sprintf("%s, %d early", way, early), func(t *testing.T) {
				t.Parallel()
				e := newEngine(t, func(c *Config) { c.Shards = 1 })
				var crowd [4]*collector
				var clients [len(crowd)]net.Conn
				var sent [len(crowd)][]string
				for i := range crowd {
					var wire [2][]byte
					for j := range count {
						sent[i] = append(sent[i], fmt.Sprintf("%d of client %d", j, i))
						at := 0
						if j >= early {
							at = 1
						}
						wire[at] = append(wire[at], fromClient(socket.OpText, sent[i][j])...)
					}
					wire[1] = append(wire[1], fromClient(socket.OpClose, "\x03\xe8")...)
					crowd[i], clients[i] = collect(t, e, connect, wire[0])
					if _, err := clients[i].Write(wire[1]); err != nil {
						t.Fatal(err)
					}
				}
				for _, k := range crowd {
					k.waitRest(t)
				}
				consistent(t, e)
				for i, k := range crowd {
					close(k.gate)
					k.Open(nil)
					framesOf(t, clients[i])
					if end := <-k.ended; end.code != 1000 || !slices.Equal(k.got, sent[i]) {
						t.Errorf("client %d: %d of %d messages came, or not as they were sent, then %d", i, len(k.got), count, end.code)
					}
				}
			})
		}
	}
}

// restOf connects a client whose messages wait in a queue that is full, and behind it.
func restOf(t *testing.T, e *Engine, connect func(testing.TB) (server, client net.Conn), more []byte) (k *collector, client net.Conn) {
	t.Helper()
	k, client = collect(t, e, connect, nil)
	k.Open(nil)
	if _, err := client.Write(append(flood(90, -1), more...)); err != nil {
		t.Fatal(err)
	}
	k.waitRest(t)
	return k, client
}

// It is kept no longer than a client has for its close frame.
func TestRestOfAFailedSocketEnds(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(c *Config) { c.CloseTimeout = 100 * time.Millisecond })
	k, client := restOf(t, e, tcpPair, nil)
	_ = client.(*net.TCPConn).SetLinger(0)
	_ = client.Close()
	within(t, "the socket is closed", func() bool { return e.Open() == 0 })
	consistent(t, e)
	close(k.gate)
	if end := <-k.ended; end.code != 1006 || len(k.got) > queueHigh+1 {
		t.Errorf("%d messages came, then %d", len(k.got), end.code)
	}
}

// Closing a connection whose rest waits reads the rest for the peer's close frame,
// and hands nothing of it to the handler.
func TestCloseWithARest(t *testing.T) {
	t.Parallel()
	change := func(c *Config) { c.CloseTimeout = time.Hour }
	for way, connect := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, change)
			k, client := restOf(t, e, connect, fromClient(socket.OpClose, "\x03\xe8"))
			k.Conn.Close(4000, "enough")
			if frames, want := framesOf(t, client), []string{"88 \x0f\xa0enou"}; !slices.Equal(frames, want) {
				t.Errorf("got %q, want %q", frames, want)
			}
			consistent(t, e)
			close(k.gate)
			if end := <-k.ended; end.code != 4000 || len(k.got) > queueHigh+1 {
				t.Errorf("%d messages came, then %d", len(k.got), end.code)
			}
		})
	}
}

// An engine that stops takes rests along.
func TestStopWithARest(t *testing.T) {
	t.Parallel()
	e := newEngine(t, nil)
	k, _ := restOf(t, e, tcpPair, nil)
	close(k.gate)
	e.Stop()
	if len(k.shard.rests) > 0 {
		t.Error("a rest is left")
	}
}

// A client that is not read by our choice is not closed for its silence: its pong
// may wait in the rest.
func TestRestKeepsThePong(t *testing.T) {
	t.Parallel()
	change := func(c *Config) { c.PingInterval, c.PongTimeout = 40*time.Millisecond, 40*time.Millisecond }
	e := newEngine(t, change)
	k, client := restOf(t, e, tcpPair, fromClient(socket.OpPong, ""))
	dues := map[tick]bool{}
	within(t, "pings are due several times", func() bool {
		do(k.shard, func() { dues[k.due] = true })
		return len(dues) > 4
	})
	if k.Ended() {
		t.Error("it was closed")
	}
	_, _ = client.Write(fromClient(socket.OpClose, "\x03\xe8"))
	close(k.gate)
	if end := <-k.ended; len(k.got) != 90 || end.code != 1000 {
		t.Errorf("%d messages came, then %d", len(k.got), end.code)
	}
}

// The loop does not inflate: while no message can be inflated, a client that waits
// for its own holds up no other, and its pings are answered.
func TestInflatingHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	for way, connect := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, func(c *Config) { c.Shards = 1 })
			k, client := collect(t, e, connect, nil)
			neighbour, near := collect(t, e, tcpPair, nil)
			close(k.gate)
			close(neighbour.gate)
			k.Open(nil)
			neighbour.Open(nil)
			for range cap(e.turns) {
				e.turns <- struct{}{}
			}
			bomb := compressed(string(bytes.Repeat([]byte("x"), 60<<10)))
			_, _ = client.Write(append(bytes.Repeat(bomb, 50), fromClient(socket.OpPing, "p")...))
			_, _ = near.Write(append(fromClient(socket.OpText, "hello"), fromClient(socket.OpClose, "\x03\xe8")...))
			pong := make([]byte, 3)
			if _, err := client.Read(pong); err != nil || string(pong) != "\x8a\x01p" {
				t.Errorf("got %q, %v; want a pong", pong, err)
			}
			framesOf(t, near)
			if <-neighbour.ended; len(neighbour.got) != 1 {
				t.Errorf("the neighbour's messages are %q", neighbour.got)
			}
			for range cap(e.turns) {
				<-e.turns
			}
			_, _ = client.Write(fromClient(socket.OpClose, "\x03\xe8"))
			if <-k.ended; len(k.got) != 50 {
				t.Errorf("%d messages came", len(k.got))
			}
		})
	}
}

// A message that turns out broken when it is inflated ends the connection behind
// the calls before it, and none follows; a close frame behind it comes too late.
func TestBrokenBehindTheQueue(t *testing.T) {
	t.Parallel()
	broken := fromClient(socket.OpText, "\xff\xff\xff")
	broken[0] |= 0x40
	for name, test := range map[string]struct {
		frame []byte
		code  uint16
	}{
		"no deflate": {broken, 1007},
		"no UTF-8":   {compressed(string(bytes.Repeat([]byte{0xff}, 1000))), 1007},
		"too large":  {compressed(string(bytes.Repeat([]byte("x"), 1<<20))), 1009},
	} {
		for way, connect := range ways {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				k, client := collect(t, newEngine(t, nil), connect, nil)
				k.Open(nil)
				data := append(flood(3, -1), test.frame...)
				data = append(append(data, flood(3, -1)...), fromClient(socket.OpClose, "\x03\xe8")...)
				_, _ = client.Write(data)
				within(t, "all has been read", func() (read bool) {
					do(k.shard, func() { read = k.state.awaitsHandler() })
					return read
				})
				close(k.gate)
				if frames := framesOf(t, client); len(frames) != 1 || frames[0][:5] != "88 "+string([]byte{byte(test.code >> 8), byte(test.code)}) {
					t.Errorf("got %q, want a close frame with %d", frames, test.code)
				}
				if end := <-k.ended; end.code != test.code || len(k.got) != 3 {
					t.Errorf("%d messages came, then %d", len(k.got), end.code)
				}
			})
		}
	}
}
