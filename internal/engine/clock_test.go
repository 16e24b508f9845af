package engine

import (
	"bytes"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime/internal/socket"
)

// rated connects a client over a pipe, which brings what it writes at once.
func rated(t *testing.T, e *Engine) (k *collector, client net.Conn) {
	t.Helper()
	k, client = collect(t, e, func(testing.TB) (server, client net.Conn) { return net.Pipe() }, nil)
	_ = client.SetDeadline(time.Time{})
	close(k.gate)
	k.Open(nil)
	go func() {
		buf := make([]byte, 200)
		for {
			if _, err := client.Read(buf); err != nil {
				return
			}
		}
	}()
	return k, client
}

// stop keeps a loop from running for some time, as when the process is stopped.
func stop(s *shard, d time.Duration) { do(s, func() { <-time.After(d) }) }

// What piled up while the loop did not run ends no connection that kept within its
// rate, however long it may have been idle before. Nothing else lets a client send
// more than the burst at once.
func TestStallAndRate(t *testing.T) {
	t.Parallel()
	const rate, stalled = 100, 26 * time.Second
	for name, c := range map[string]struct {
		before   time.Duration // idle
		stalled  time.Duration
		after    time.Duration // idle, until the messages come
		messages int
		closed   bool
	}{
		"stopped":              {time.Second, stalled, 0, 26 * rate, false},
		"stopped while idle":   {time.Hour, stalled, 0, 26 * rate, false},
		"for a moment":         {time.Hour, clockInterval + lateTimer + 4*tickLength, 0, rate, false},
		"more than it earned":  {time.Second, stalled, 0, 28*rate + 10, true},
		"idle":                 {stalled, 0, 0, 26 * rate, true},
		"long before":          {time.Second, stalled, 2*stalled + catchUpTime, 26 * rate, true},
		"a while before":       {time.Second, stalled, stalled, 26 * rate, false},
		"in debt, and stopped": {0, stalled, 0, 26 * rate, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := newEngine(t, func(c *Config) { c.Shards, c.Rate, c.Burst = 1, rate, 10 })
				k, client := rated(t, e)
				defer func() { _ = client.Close() }()
				pass(c.before)
				if c.stalled > 0 {
					stop(k.shard, c.stalled)
				}
				pass(c.after)
				_, _ = client.Write(bytes.Repeat(fromClient(socket.OpText, "x"), c.messages))
				synctest.Wait()
				if k.Ended() != c.closed {
					t.Errorf("closed: %v, want %v", k.Ended(), c.closed)
				}
			})
		})
	}
}

// A connection that began behind a stall has the burst, as any other.
func TestStallBeforeConnecting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, func(c *Config) { c.Shards, c.Rate, c.Burst = 1, 100, 10 })
		first, keeps := rated(t, e)
		defer func() { _ = keeps.Close() }()
		pass(time.Second)
		stop(first.shard, time.Minute)
		k, client := rated(t, e)
		defer func() { _ = client.Close() }()
		_, _ = client.Write(bytes.Repeat(fromClient(socket.OpText, "x"), 20))
		synctest.Wait()
		if !k.Ended() {
			t.Error("it may send more than the burst")
		}
	})
}
