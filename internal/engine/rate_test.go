package engine

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/socket"
)

// A message counts as one for every 512 bytes that it has begun, as it is inflated.
func TestCost(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]int{0: 1, 1: 1, 512: 1, 513: 2, 1024: 2, 1025: 3, 64 << 10: 128} {
		if got := cost(size); got != want {
			t.Errorf("%d bytes count as %d messages, want %d", size, got, want)
		}
	}
}

// A message of any size is taken while any allowance is left, and the next one
// only when time has paid for it.
func TestRateCountsBytes(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("x", 20<<10) // counts as 40
	for name, frame := range map[string][]byte{"plain": fromClient(socket.OpText, text), "compressed": compressed(text)} {
		for way, connect := range ways {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				e := newEngine(t, func(c *Config) { c.Rate, c.Burst = 1e-6, 60 })
				k, client := collect(t, e, connect, nil)
				close(k.gate)
				k.Open(nil)
				for i, left := range []float32{20, -20} {
					if _, err := client.Write(frame); err != nil {
						t.Fatal(err)
					}
					within(t, "the message is charged", func() (charged bool) {
						do(k.shard, func() { charged = k.credit < left+1 })
						return charged
					})
					if k.Ended() {
						t.Fatalf("closed for message %d", i)
					}
				}
				_, _ = client.Write(fromClient(socket.OpText, "x"))
				if frames := framesOf(t, client); len(frames) != 1 || frames[0][:5] != "88 \x0f\xad" {
					t.Errorf("got %q, want a close frame with 4013", frames)
				}
				if end := <-k.ended; end.code != 4013 || len(k.got) != 2 {
					t.Errorf("%d messages came, then %d", len(k.got), end.code)
				}
			})
		}
	}
}

// Without a rate nothing is counted.
func TestNoRate(t *testing.T) {
	t.Parallel()
	e := newEngine(t, nil)
	k, client := collect(t, e, tcpPair, nil)
	close(k.gate)
	k.Open(nil)
	for range 100 {
		_, _ = client.Write(compressed(strings.Repeat("x", 60<<10)))
	}
	_, _ = client.Write(fromClient(socket.OpClose, "\x03\xe8"))
	if end := <-k.ended; end.code != 1000 || len(k.got) != 100 {
		t.Errorf("%d messages came, then %d", len(k.got), end.code)
	}
}

// A rate that is set while the engine runs counts inflated bytes, too.
func TestRateSetLater(t *testing.T) {
	t.Parallel()
	e := newEngine(t, nil)
	k, client := collect(t, e, tcpPair, nil)
	close(k.gate)
	k.Open(nil)
	limits := *e.limits.Load()
	limits.Rate, limits.Burst = 1e-6, 1
	e.SetLimits(limits)
	do(k.shard, func() { k.credit = 1 })
	_, _ = client.Write(compressed(strings.Repeat("x", 20<<10)))
	within(t, "the inflated size is charged", func() (charged bool) {
		do(k.shard, func() { charged = k.credit == 1-40 })
		return charged
	})
}

// A compressed message is charged by its size as it travels, too: what it inflates
// to may be nothing.
func TestCostOfCompressedForm(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]float32{0: 1, 32: 1, 33: 2, 2001: 63, 65 << 10: 2080} {
		ev := socket.Event{Kind: socket.Message, Deflated: true, Data: make([]byte, size)}
		if got := new(Conn).costOf(ev); got != want {
			t.Errorf("%d compressed bytes count as %v messages, want %v", size, got, want)
		}
	}
}

// Every frame is charged: pings and pongs as messages, and sixteen fragments as one.
func TestRateCountsFrames(t *testing.T) {
	t.Parallel()
	begin, next := fromClient(socket.OpText, ""), fromClient(socket.OpText, "")
	begin[0], next[0] = begin[0]&0x7f, 0
	for name, f := range map[string]struct {
		frame []byte
		count int // that the rate allows
	}{
		"pings": {fromClient(socket.OpPing, "p"), 50}, "pongs": {fromClient(socket.OpPong, "p"), 50}, "empty fragments": {next, 50*16 - 1},
	} {
		for way, connect := range ways {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				e := newEngine(t, func(c *Config) { c.Rate, c.Burst = 1e-6, 50 })
				k, client := collect(t, e, connect, nil)
				close(k.gate)
				k.Open(nil)
				go func() { _, _ = io.Copy(io.Discard, client) }()
				sent := bytes.Repeat(f.frame, f.count)
				if name == "empty fragments" {
					sent = append(bytes.Clone(begin), sent...)
				}
				_, _ = client.Write(sent)
				within(t, "all is charged", func() (charged bool) {
					do(k.shard, func() { charged = k.credit < 1 })
					return charged
				})
				if k.Ended() {
					t.Fatal("closed within the rate")
				}
				_, _ = client.Write(f.frame)
				if end := <-k.ended; end.code != 4013 {
					t.Errorf("closed with %d, want 4013", end.code)
				}
			})
		}
	}
}

// A client that has nothing left of its rate may answer a ping, once.
func TestOwedPongIsFree(t *testing.T) {
	t.Parallel()
	for way, connect := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, func(c *Config) { c.Rate, c.Burst, c.PongTimeout = 1e-6, 1, time.Minute })
			k, client := collect(t, e, connect, nil)
			close(k.gate)
			k.Open(nil)
			do(k.shard, func() {
				k.due = k.shard.in(0)
				k.shard.ping(&k.Conn, k.due)
			})
			ping := make([]byte, 2)
			if _, err := io.ReadFull(client, ping); err != nil || ping[0] != 0x89 {
				t.Fatalf("got %x, %v; want a ping", ping, err)
			}
			_, _ = client.Write(append(fromClient(socket.OpText, "all that it may send"), fromClient(socket.OpPong, "")...))
			within(t, "the pong is read", func() (read bool) {
				do(k.shard, func() { read = k.flags&flagOwesPong == 0 })
				return read
			})
			if k.Ended() {
				t.Fatal("closed for the pong that it owed")
			}
			_, _ = client.Write(fromClient(socket.OpPong, ""))
			if end := <-k.ended; end.code != 4013 {
				t.Errorf("closed with %d, want 4013", end.code)
			}
		})
	}
}
