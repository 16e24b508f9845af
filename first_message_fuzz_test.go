package realtime

import (
	"io"
	"net"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/socket"
)

// pieces is a client's end that sends octets so many at a time, and then ends.
type pieces struct {
	net.Conn
	octets []byte
	size   int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.octets) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.octets)
	p.octets = p.octets[n:]
	return n, nil
}

func (p *pieces) Write(b []byte) (int, error)     { return len(b), nil }
func (p *pieces) SetDeadline(time.Time) error     { return nil }
func (p *pieces) SetReadDeadline(time.Time) error { return nil }

// Whatever a client sends first, however it is cut: it is a token, the same one
// each time, or a close with a code that may be sent.
func FuzzFirstMessage(f *testing.F) {
	frame := func(dst []byte, op socket.Opcode, text string) []byte {
		return socket.AppendMaskedFrame(dst, op, []byte(text), [4]byte{1, 2, 3, 4})
	}
	good := frame(frame(nil, socket.OpPing, "p"), socket.OpText, `{"action":"connect","token":"a.b.c"}`)
	for _, seed := range [][]byte{
		nil, good, frame(good, socket.OpText, "next"), good[:7], frame(nil, socket.OpClose, "\x03\xe8"), frame(nil, socket.OpClose, "\x00"),
		frame(nil, socket.OpBinary, "x"), socket.AppendMaskedDeflatedFrame(nil, socket.OpText, make([]byte, 999), [4]byte{1}),
		{0xff, 0xff},
	} {
		f.Add(seed, 1)
		f.Add(seed, 1000)
	}
	read := func(octets []byte, size int) (token string, rest int, why *refusal) {
		conn := &pieces{octets: append([]byte(nil), octets...), size: size}
		c := &pendingConn{Conn: conn}
		token, behind, why := c.readToken(nil)
		return token, len(behind) + len(conn.octets), why
	}
	f.Fuzz(func(t *testing.T, octets []byte, size int) {
		token, rest, why := read(octets, len(octets)+1)
		again, restAgain, whyAgain := read(octets, 1+(size&0xff))
		if token != again || (why == nil) != (whyAgain == nil) {
			t.Fatalf("token %q (%v), and in pieces %q (%v)", token, why, again, whyAgain)
		}
		if why == nil {
			if rest != restAgain {
				t.Fatalf("%d octets are left, and in pieces %d", rest, restAgain)
			}
			return
		}
		if token != "" || why.reason != whyAgain.reason || why.code != whyAgain.code {
			t.Fatalf("token %q, %+v, and in pieces %+v", token, why, whyAgain)
		}
		if code := uint16(why.code); !why.code.Valid() && code != socket.CloseNoStatus && code != socket.CloseAbnormal {
			t.Fatalf("closed with %d", code)
		}
	})
}
