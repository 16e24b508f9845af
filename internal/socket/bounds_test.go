package socket_test

import (
	"bytes"
	"errors"
	"testing"

	"boundary-app.org/realtime/internal/socket"
)

// The limits hold at the same byte whether a message comes whole or in fragments,
// plain or compressed, inflated by the Reader or by its caller.
func TestLimitsOfWholeAndFragmented(t *testing.T) {
	t.Parallel()
	const limit = 10_000
	for size, fits := range map[int]bool{limit - 1: true, limit: true, limit + 1: false, 3 * limit: false} {
		text := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		plain := socket.AppendMaskedFrame(nil, socket.OpText, text, [4]byte{1, 2, 3, 4})
		deflated := socket.AppendMaskedDeflatedFrame(nil, socket.OpText, text, [4]byte{1, 2, 3, 4})
		for name, frame := range map[string][]byte{"plain": plain, "compressed": deflated} {
			for _, pieces := range []int{1, 2, 7} {
				for _, keep := range []bool{false, true} {
					got, err := readMessage(&socket.Config{MaxMessage: limit, KeepDeflated: keep}, fragmented(frame, pieces))
					var violation *socket.ProtocolError
					switch {
					case fits && (err != nil || !bytes.Equal(got, text)):
						t.Errorf("%s, %d bytes in %d fragments: %d bytes, %v", name, size, pieces, len(got), err)
					case !fits && (!errors.As(err, &violation) || violation.Code != socket.CloseTooBig):
						t.Errorf("%s, %d bytes in %d fragments: %v, want 1009", name, size, pieces, err)
					}
				}
			}
		}
	}
}

// fragmented returns the message of a masked frame as that many fragments.
func fragmented(frame []byte, pieces int) (out []byte) {
	header, n, _ := socket.FrameLen(frame)
	payload := bytes.Clone(frame[header+4 : header+4+n])
	for i := range payload {
		payload[i] ^= []byte{1, 2, 3, 4}[i%4]
	}
	for i := range pieces {
		op := socket.OpContinuation
		if i == 0 {
			op = socket.Opcode(frame[0] & 0xf)
		}
		at := len(out)
		out = append(out, socket.AppendMaskedFrame(nil, op, payload[i*n/pieces:(i+1)*n/pieces], [4]byte{5, 6, 7, 8})...)
		if i == 0 {
			out[at] |= frame[0] & 0x40
		}
		if i < pieces-1 {
			out[at] &^= 0x80
		}
	}
	return out
}

// readMessage reads one message, and inflates it where the Reader does not.
func readMessage(cfg *socket.Config, in []byte) ([]byte, error) {
	var r socket.Reader
	ev, rest, err := r.Next(cfg, true, in)
	switch {
	case err != nil:
		return nil, err
	case ev.Kind != socket.Message || len(rest) > 0 || r.Incomplete():
		return nil, errors.New("the message is not read to its end")
	case ev.Deflated:
		return socket.Inflate(cfg, ev.Op, ev.Data)
	}
	return ev.Data, nil
}
