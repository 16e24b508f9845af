package wsconformance

import (
	"bufio"
	"context"
	"net"
	"slices"
	"testing"
	"time"
)

// The suite for clients is worth something only if a client that checks nothing fails it.
func TestSloppyClientIsCaught(t *testing.T) {
	t.Parallel()
	report := runClient(t, Options{Groups: []string{"2", "3", "4", "5", "6", "7", "handshake"}, Timeout: time.Second}, sloppyEcho)
	framing := runClient(t, Options{Groups: []string{"1"}, Timeout: time.Minute, Patience: time.Minute}, sloppyEcho)
	report.Groups = append(report.Groups, framing.Groups...)
	var failing []string
	for _, g := range report.Groups {
		if g.Count(Failed) > 0 {
			failing = append(failing, g.ID)
		}
	}
	if want := []string{"2", "3", "4", "5", "6", "7", "handshake"}; !slices.Equal(failing, want) {
		t.Errorf("it fails in %q, want %q", failing, want)
	}
}

// sloppyEcho looks at no answer, and echoes every frame as it came.
func sloppyEcho(ctx context.Context, address string) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	r := newRequest("localhost", nil)
	_, _ = conn.Write(r.encode("/"))
	in := bufio.NewReader(conn)
	for line := ""; line != "\r\n"; {
		if line, err = in.ReadString('\n'); err != nil {
			return
		}
	}
	for {
		f, err := readFrame(in)
		if err != nil || f.op == opPong {
			return
		}
		if f.op == opPing {
			f.op = opPong
		}
		_, _ = conn.Write(frame{op: f.op, rsv: f.rsv, more: !f.fin, payload: f.payload}.append(nil, true))
	}
}
