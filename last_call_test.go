package realtime_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
)

// OnClose is the last call of a connection, also when it is closed in the midst
// of many messages that its client has sent already.
func TestOnCloseIsTheLastCall(t *testing.T) {
	t.Parallel()
	for round := range 30 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			var after, calls atomic.Int32
			closed := make(chan struct{})
			s := start(t, realtime.Options{}, realtime.HandlerOptions{
				OnMessage: func(_ context.Context, c *realtime.Conn, _ []byte) {
					if calls.Add(1) == 1 {
						go c.Close(4100, "")
					}
					select {
					case <-closed:
						after.Add(1)
					default:
					}
				},
				OnClose: func(context.Context, *realtime.Conn, realtime.CloseCode, string) { close(closed) },
			})
			c := dialRaw(t, s, upgrading("/?token="+token(t, user("u1"))))
			c.wants("$connected")
			var frames []byte
			for range 1900 {
				frames = socket.AppendMaskedFrame(frames, socket.OpText, []byte("m"), [4]byte{1})
			}
			c.write(frames)
			c.wantsClose(4100)
			eventually(t, closed, "OnClose")
			_ = s.Shutdown(t.Context())
			if n := after.Load(); n != 0 {
				t.Errorf("OnMessage was called %d times after OnClose", n)
			}
		})
	}
}
