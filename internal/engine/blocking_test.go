package engine

import (
	"fmt"
	"io"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/socket"
)

// TestTLSIsReadAfterAnIdleTime lets the reader of a TLS connection end, several
// times, and has the client speak again.
func TestTLSIsReadAfterAnIdleTime(t *testing.T) {
	t.Parallel()
	e := newEngine(t, nil)
	p := newPeer()
	server, client := tlsPair(t)
	e.Register(&p.Conn, Spec{User: "u", Handler: p, Conn: server, Prelude: []byte("hello\n")})
	p.Open([]byte("open"))
	go func() { _, _ = io.Copy(io.Discard, client) }()
	for turn := range 2 {
		text := fmt.Sprint("turn ", turn)
		for _, frame := range []string{text, text + " again"} {
			if _, err := client.Write(socket.AppendMaskedFrame(nil, socket.OpText, []byte(frame), [4]byte{1, 2, 3, 4})); err != nil {
				t.Fatal(err)
			}
			if got := string(<-p.received); got != frame {
				t.Fatalf("received %q, want %q", got, frame)
			}
		}
		waitPolled(t, &p.Conn)
	}
	_ = client.Close()
	if end := <-p.ended; end.code != 1006 {
		t.Errorf("closed with %d, want 1006", end.code)
	}
}

func waitPolled(t *testing.T, c *Conn) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for range 500 {
		polled := make(chan bool, 1)
		c.shard.post(task{run: func(*shard, *task) { polled <- c.blocking.polled }})
		if <-polled {
			return
		}
		<-ticker.C
	}
	t.Fatal("the reader does not end")
}
