package engine

import (
	"io"
	"net"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/poll"
)

// pinged connects a client that has taken a ping, and will not answer it.
func pinged(t *testing.T, connect func(testing.TB) (server, client net.Conn)) *collector {
	t.Helper()
	e := newEngine(t, func(c *Config) { c.PongTimeout = 10 * time.Second })
	k, client := collect(t, e, connect, nil)
	close(k.gate)
	k.Open(nil)
	go func() { _, _ = io.Copy(io.Discard, client) }()
	k.waitAcknowledged(t)
	do(k.shard, func() {
		k.due = k.shard.in(0)
		k.shard.ping(&k.Conn, k.due)
	})
	k.waitAcknowledged(t)
	return k
}

// waitAcknowledged waits until the client has everything that was written to it.
func (k *collector) waitAcknowledged(t *testing.T) {
	t.Helper()
	within(t, "the client has all", func() (all bool) {
		do(k.shard, func() {
			all = k.out == nil
			if fd := k.descriptor(); fd >= 0 {
				_, pending := poll.Acknowledged(fd)
				all = all && pending == 0
			}
		})
		return all
	})
}

// A client that has taken its ping, and nothing before it, is closed when its pong
// is due: that it took the ping is no progress.
func TestPingIsNoProgress(t *testing.T) {
	t.Parallel()
	for way, connect := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			k := pinged(t, connect)
			do(k.shard, func() {
				k.shard.ping(&k.Conn, k.due-1)
				if k.state != open {
					t.Error("closed before the pong was due")
				}
				k.shard.ping(&k.Conn, k.due)
			})
			if end := <-k.ended; end.code != 4012 {
				t.Errorf("closed with %d, want 4012", end.code)
			}
		})
	}
}

// A loop that looks late, as after the process was stopped, looks again before it
// closes: the pong may have come meanwhile.
func TestLateLookIsRepeated(t *testing.T) {
	t.Parallel()
	for way, connect := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			k := pinged(t, connect)
			do(k.shard, func() {
				k.shard.ping(&k.Conn, k.due+ticks(time.Minute))
				if k.state != open || k.due != k.shard.in(pongRetry) {
					t.Errorf("after a late timer the connection is in state %d and due at %d", k.state, k.due)
				}
				k.shard.ping(&k.Conn, k.due)
			})
			if end := <-k.ended; end.code != 4012 {
				t.Errorf("closed with %d, want 4012", end.code)
			}
		})
	}
}
