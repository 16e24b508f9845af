package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// bomb is a frame of some 85 bytes that inflates to a message of 64 KiB.
var bomb = socket.AppendMaskedDeflatedFrame(nil, socket.OpText, bytes.Repeat([]byte("x"), 64<<10), [4]byte{1, 2, 3, 4})

// Clients whose messages the application does not take, and which inflate seven
// hundredfold, hold no more memory than limits.md allows each of them: the message
// that is being handled, a queue of less than three messages, and one read.
func TestCompressedFlood(t *testing.T) {
	const clients, frames = 10, 2000
	gate := make(chan struct{})
	var taken atomic.Int64
	n := start(t, realtime.Options{}, realtime.HandlerOptions{Compression: true, OnMessage: func(context.Context, *realtime.Conn, []byte) {
		taken.Add(1)
		<-gate
	}})
	open := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(open)
	crowd := make([]*client, clients)
	for i := range crowd {
		crowd[i] = n.dialDirect(fmt.Sprint("u", i))
	}
	before := steady(t)
	var flooding sync.WaitGroup
	for _, c := range crowd {
		flooding.Go(func() { _, _ = c.Write(bytes.Repeat(bomb, frames)) })
	}
	becomes(t, "each client's first message is handled", func() bool { return taken.Load() == clients })
	const each = 4*64<<10 + 64<<10
	after := steady(t)
	t.Logf("before: %v; after: %v", before, after)
	if grown := int64(after.heap) - int64(before.heap); grown > clients*each {
		t.Errorf("the heap grew by %d KiB a client, want %d at most", grown/clients>>10, each>>10)
	}
	for _, c := range crowd {
		_ = c.Close()
	}
	open()
	flooding.Wait()
}

// hostile is what a client sends as often as its rate allows.
type hostile struct {
	name     string
	frame    []byte
	inflated int // bytes; of a compressed frame
}

// cost returns as how many messages of the rate the frame counts: see docs/limits.md.
func (h hostile) cost() int {
	_, size, _ := socket.FrameLen(h.frame)
	if compressed := h.frame[0]&0x40 != 0; compressed {
		return max(1, (h.inflated+511)/512, (size+31)/32)
	}
	return max(1, (size+511)/512)
}

// costly is a command of nearly 16 KiB in which every member has to be looked at.
var costly = `{"action":"subscribe","topic":"t","ref":1` + strings.Repeat(`,"name":[[{}],1e9]`, 880) + `}`

var hostiles = []hostile{
	{"bombs", bomb, 64 << 10},
	{"costly commands", socket.AppendMaskedDeflatedFrame(nil, socket.OpText, []byte(costly), [4]byte{1, 2, 3, 4}), len(costly)},
	{"costly commands in plain", socket.AppendMaskedFrame(nil, socket.OpText, []byte(costly), [4]byte{1, 2, 3, 4}), 0},
	{"large messages", socket.AppendMaskedFrame(nil, socket.OpText, bytes.Repeat([]byte("x"), 64<<10), [4]byte{1, 2, 3, 4}), 0},
	{"tables", compressedFrame(tables(1)), 0},
	{"many tables", compressedFrame(tables(1000)), 0},
}

// compressedFrame is a binary message that travels in a compressed form.
func compressedFrame(deflated []byte) []byte {
	frame := socket.AppendMaskedFrame(nil, socket.OpBinary, deflated, [4]byte{1, 2, 3, 4})
	frame[0] |= 0x40
	return frame
}

// tables returns deflate blocks (RFC 1951 section 3.2.7) that hold nothing but the
// lengths of 263 codes, of 10 bits most of them and of 15 the longest: of 33 bytes,
// decoders that look codes up make a table of 8,192 entries.
func tables(blocks int) []byte {
	var b bitString
	for range blocks {
		b.append(0, 1) // not the last
		b.append(2, 2) // with codes of its own
		b.append(263-257, 5)
		b.append(2-1, 5)  // codes of distances
		b.append(19-4, 4) // lengths of the codes for lengths, in the order of the RFC:
		for _, symbol := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15} {
			b.append(map[int]int{16: 1, 1: 4, 2: 4, 10: 4, 11: 4, 12: 4, 13: 4, 14: 4, 15: 4}[symbol], 3)
		}
		length := map[int]int{1: 0b1000, 2: 0b1001, 10: 0b1010, 11: 0b1011, 12: 0b1100, 13: 0b1101, 14: 0b1110, 15: 0b1111}
		b.code(length[10], 4)
		for range 42 { // repeat it six times
			b.code(0, 1)
			b.append(3, 2)
		}
		for _, l := range []int{10, 10, 1, 2, 11, 12, 13, 14, 15, 15, 1, 1} {
			b.code(length[l], 4)
		}
		b.code(0b10, 2) // the end of the block
	}
	b.append(0, 3) // an empty block, of which the sender leaves out the rest
	return b.bytes
}

// bitString is a string of bits, the lowest of each byte first.
type bitString struct {
	bytes []byte
	bits  int
}

// append appends the lowest bits of a value, the lowest first.
func (b *bitString) append(value, bits int) {
	for i := range bits {
		if b.bits%8 == 0 {
			b.bytes = append(b.bytes, 0)
		}
		b.bytes[b.bits/8] |= byte(value>>i&1) << (b.bits % 8)
		b.bits++
	}
}

// code appends the lowest bits of a value, the lowest last.
func (b *bitString) code(value, bits int) {
	for i := range bits {
		b.append(value>>(bits-1-i), 1)
	}
}

// The frames are what they are meant to be: within the limits of a message, and read
// by the server.
func TestHostileFrames(t *testing.T) {
	t.Parallel()
	for _, h := range hostiles {
		var reader socket.Reader
		ev, _, err := reader.Next(&socket.Config{}, true, bytes.Clone(h.frame))
		if err != nil || ev.Kind != socket.Message || h.inflated > 0 && len(ev.Data) != h.inflated {
			t.Errorf("%s: kind %d, %d bytes, %v", h.name, ev.Kind, len(ev.Data), err)
		}
		t.Logf("%s: %d bytes, counted as %d messages", h.name, len(h.frame), h.cost())
	}
}

// Fifty clients that send what costs most, as fast as their rate allows, are not
// closed, and a neighbour's commands are answered at most twice as late as without
// them. It measures times, and wants a machine with nothing else to do: `make soak`.
func TestSoakNeighbour(t *testing.T) {
	if *soakDuration == 0 {
		t.Skip("it measures times; use make soak")
	}
	for _, h := range hostiles {
		t.Run(h.name, h.run)
	}
}

func (h hostile) run(t *testing.T) {
	const clients, share = 50, 0.9 // of the rate
	p := serve(t, "REALTIME_COMPRESSION=true", "REALTIME_PING_INTERVAL=0")
	neighbour := p.connect("neighbour")
	alone := delays(t, neighbour, 10*time.Second)

	ctx, cancel := context.WithCancel(t.Context())
	var attacking sync.WaitGroup
	interval := time.Duration(float64(time.Second) * float64(h.cost()) / (1000 * share))
	for i := range clients {
		c := p.connect(fmt.Sprint("hostile", i))
		attacking.Go(func() {
			<-time.After(interval * time.Duration(i) / clients) // not all at once
			h.attack(ctx, t, c, interval)
		})
	}
	beside := delays(t, neighbour, 20*time.Second)
	cancel()
	attacking.Wait()
	p50, p99 := quantile(alone, 50), quantile(alone, 99)
	t.Logf("alone %v at the median and %v at p99, beside %d clients %v and %v", p50, p99, clients, quantile(beside, 50), quantile(beside, 99))
	if quantile(beside, 99) > 2*p99 {
		t.Error("p99 is more than twice what it is alone")
	}
}

// attack sends the frame at an interval, and is not to be closed for it.
func (h hostile) attack(ctx context.Context, t *testing.T, c *client, interval time.Duration) {
	go func() {
		_, _ = io.Copy(io.Discard, c.Conn) // reading the replies would cost more than the server pays
		if ctx.Err() == nil {
			t.Error("a hostile client was closed, though it kept within its rate")
		}
	}()
	defer func() { _ = c.Close() }()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if _, err := c.Write(h.frame); err != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// connect connects a user to the server. The client ends with the test.
func (p *process) connect(user string) *client {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.public)
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := upgrade(conn, tokenOf(p.t, user), wire.Subprotocol)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = c.Close() })
	return c
}

// delays returns how long a client's commands wait for their replies.
func delays(t *testing.T, c *client, during time.Duration) (found []time.Duration) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for begun := time.Now(); time.Since(begun) < during; {
		<-ticker.C
		sent := time.Now()
		if err := c.say(`{"action":"ping","ref":1}`); err != nil {
			t.Fatal(err)
		}
		if _, err := c.wait("$reply"); err != nil {
			t.Fatal(err)
		}
		found = append(found, time.Since(sent))
	}
	slices.Sort(found)
	return found
}

// quantile returns a percentile of sorted times.
func quantile(sorted []time.Duration, percent int) time.Duration {
	return sorted[len(sorted)*percent/100].Round(time.Microsecond)
}
