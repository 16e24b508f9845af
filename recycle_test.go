package realtime_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
)

// What an application has been given stays as it was, while commands and messages
// that are too long for one come and go in memory that is used again.
func TestTakenMessagesAreKept(t *testing.T) {
	t.Parallel()
	const count = 200
	var taken [][]byte
	done := make(chan struct{})
	s := start(t, realtime.Options{Limits: realtime.Limits{MessageRate: -1}}, realtime.HandlerOptions{
		Compression: true,
		OnBinary: func(_ context.Context, _ *realtime.Conn, data []byte) {
			if taken = append(taken, data); len(taken) == count {
				close(done)
			}
		},
	})
	c := dialRaw(t, s, upgrading("/?token="+token(t, user("u1")), "Sec-Websocket-Extensions", "permessage-deflate"))
	go func() {
		for i := range count {
			ping := fmt.Sprintf(`{"action":"ping","ref":%d%s}`, i, strings.Repeat(" ", 8<<10))
			c.write(socket.AppendMaskedDeflatedFrame(nil, socket.OpText, []byte(ping), [4]byte{1, 2, 3, 4}))
			c.write(masked(nil, socket.OpBinary, strings.Repeat(string(rune('a'+i%26)), 8<<10+i)))
			c.write(masked(nil, socket.OpText, strings.Repeat("x", 40<<10)))
		}
	}()
	c.nextCompressed() // $connected
	for i := range count {
		if reply, want := c.nextCompressed(), fmt.Sprintf(`"ref":%d,`, i); !bytes.Contains(reply.Data, []byte(want)) {
			t.Fatalf("got %q, want %s", reply.Data, want)
		}
		if reply := c.nextCompressed(); !bytes.Contains(reply.Data, []byte("malformed")) {
			t.Fatalf("got %q", reply.Data)
		}
	}
	eventually(t, done, "all binary messages")
	for i, data := range taken {
		if want := strings.Repeat(string(rune('a'+i%26)), 8<<10+i); string(data) != want {
			t.Fatalf("message %d has changed: %.20q of %d bytes", i, data, len(data))
		}
	}
}

// Large messages that nothing takes do not cost their size in memory each time. Not
// parallel: it counts what the process allocates.
func TestIgnoredMessagesCostLittleMemory(t *testing.T) {
	const count, size = 200, 60 << 10
	s := start(t, realtime.Options{Limits: realtime.Limits{MessageRate: -1}}, realtime.HandlerOptions{})
	c := dialRaw(t, s, upgrading("/?token="+token(t, user("u1"))))
	c.next()
	frame := masked(nil, socket.OpBinary, strings.Repeat("x", size))
	frame = masked(frame, socket.OpText, `{"action":"ping"}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range count {
		c.write(frame)
		c.next()
	}
	runtime.ReadMemStats(&after)
	each := (after.TotalAlloc - before.TotalAlloc) / count
	t.Logf("%d bytes are allocated for each", each)
	if each > size { // half of it is the test's own, for each read
		t.Errorf("%d bytes are allocated for each message of %d", each, size)
	}
}
