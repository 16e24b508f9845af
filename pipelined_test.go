package realtime_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// Messages that a client sends with its request, or with the token that is its first
// message, all arrive, and in order: also those that its handler is behind with.
func TestMessagesBehindTheHandshake(t *testing.T) {
	t.Parallel()
	for _, w := range []way{overTCP, overTLS} {
		for _, first := range []bool{false, true} {
			for _, count := range []int{200, 1000} {
				t.Run(fmt.Sprintf("%s, token in a message %t, %d messages", w.name, first, count), func(t *testing.T) {
					t.Parallel()
					testBehindTheHandshake(t, w, first, count)
				})
			}
		}
	}
}

func testBehindTheHandshake(t *testing.T, w way, first bool, count int) {
	got := make(chan string, count)
	closed := make(chan realtime.CloseCode, 1)
	opened, read := make(chan struct{}), make(chan struct{})
	s := startOver(t, w, realtime.Options{Limits: realtime.Limits{MessageRate: -1}}, realtime.HandlerOptions{
		TokenInMessage: first,
		OnOpen:         func(context.Context, *realtime.Conn) error { close(opened); return nil },
		OnMessage: func(_ context.Context, _ *realtime.Conn, data []byte) {
			<-read
			got <- string(data)
		},
		OnClose: func(_ context.Context, _ *realtime.Conn, code realtime.CloseCode, _ string) { closed <- code },
	})
	var messages bytes.Buffer
	for i := range count {
		messages.Write(maskedFrame(socket.OpText, fmt.Sprint(i)))
	}
	messages.Write(maskedFrame(socket.OpClose, "\x03\xe8"))

	var c *raw
	if first {
		c = dialOver(t, s, upgrading("/"))
		c.write(append(maskedFrame(socket.OpText, connecting(token(t, user("u1")))), messages.Bytes()...))
	} else {
		r := upgrading("/?token=" + token(t, user("u1")))
		var request bytes.Buffer
		if err := r.Write(&request); err != nil {
			t.Fatal(err)
		}
		c = dialOnly(t, s)
		c.write(append(request.Bytes(), messages.Bytes()...))
		c.upgraded(r)
	}
	eventually(t, opened, "OnOpen")
	close(read)
	if code := eventually(t, closed, "OnClose"); code != wire.CloseNormal {
		t.Errorf("closed with %d", code)
	}
	close(got)
	next := 0
	for text := range got {
		if text != fmt.Sprint(next) {
			t.Fatalf("got %q, want message %d", text, next)
		}
		next++
	}
	if next != count {
		t.Errorf("%d of %d messages arrived", next, count)
	}
}
