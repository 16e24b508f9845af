package engine

import (
	"bytes"
	"testing"
	"time"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/socket"
)

// A message in two parts is the message in one, whichever way it takes.
func TestMessageWithTail(t *testing.T) {
	t.Parallel()
	tail := []byte(`,"topic":"t"}`)
	for _, size := range []int{0, 1, 125 - len(tail), 126 - len(tail), 1 << 16} {
		body := bytes.Repeat([]byte("b"), size)
		m := newMessage(socket.OpText, body, tail, time.Now())
		whole := newMessage(socket.OpText, append(bytes.Clone(body), tail...), nil, time.Now())
		if !bytes.Equal(m.frame, whole.frame) || !bytes.Equal(m.compressed(), whole.compressed()) {
			t.Errorf("%d bytes and a tail: %.20x, want %.20x", size, m.frame, whole.frame)
		}
	}
	e := newEngine(t, nil)
	p := newPeer()
	register(t, e, paths[0], p, "u")
	for route, target := range map[bus.Route]string{bus.User: "u", bus.Connection: p.ID().String()} {
		if n := e.Send(route, target, []byte(`{"a":1`), tail...); n != 1 {
			t.Errorf("%s: %d recipients", route, n)
		}
	}
	p.Conn.Close(1000, "")
	for _, text := range p.log()[1:] {
		if text != `{"a":1,"topic":"t"}` {
			t.Errorf("received %s", text)
		}
	}
}
