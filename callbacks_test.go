package realtime_test

import (
	"context"
	"fmt"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
)

// OnBinary takes binary messages in place of OnMessage, in the order in which the
// client sent both. Without it OnMessage takes them.
func TestBinaryMessages(t *testing.T) {
	t.Parallel()
	for _, both := range []bool{true, false} {
		for _, w := range []way{overTCP, overTLS} {
			t.Run(fmt.Sprint(w.name, " both ", both), func(t *testing.T) {
				t.Parallel()
				heard := make(chan string, 8)
				note := func(kind string) func(context.Context, *realtime.Conn, []byte) {
					return func(_ context.Context, c *realtime.Conn, data []byte) {
						heard <- kind + " " + c.UserID() + " " + string(data)
					}
				}
				opts, binary := realtime.HandlerOptions{OnMessage: note("text")}, "text"
				if both {
					opts.OnBinary, binary = note("binary"), "binary"
				}
				s := startOver(t, w, realtime.Options{}, opts)
				c := dialOver(t, s, upgrading("/?token="+token(t, user("u1"))))
				c.wants("$connected")
				c.send(socket.OpText, "one")
				c.send(socket.OpBinary, "\xff\x00")
				c.send(socket.OpBinary, `{"action":"ping"}`)
				c.send(socket.OpText, "two")
				for _, want := range []string{"text u1 one", binary + " u1 \xff\x00", binary + ` u1 {"action":"ping"}`, "text u1 two"} {
					if got := eventually(t, heard, want); got != want {
						t.Errorf("heard %q, want %q", got, want)
					}
				}
			})
		}
	}
}

// With OnBinary alone, text is read as without any: commands are answered, and
// other text is ignored. A panic ends the connection.
func TestOnBinaryAlone(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{
		OnBinary: func(context.Context, *realtime.Conn, []byte) { panic("oops") },
	})
	c := dialRaw(t, s, upgrading("/?token="+token(t, user("u1"))))
	c.wants("$connected")
	c.send(socket.OpText, "ignored")
	c.send(socket.OpText, `{"action":"ping"}`)
	c.wants("$reply")
	c.send(socket.OpBinary, "x")
	c.wantsClose(1011)
}
