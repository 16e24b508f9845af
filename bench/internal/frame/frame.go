// Package frame splits a stream of octets into WebSocket frames as a server
// sends them (RFC 6455 section 5.2, unmasked), without copying.
//
// It reads headers only, so that a load client can take in millions of frames
// a second. It holds no state and is safe for concurrent use.
package frame

import (
	"encoding/binary"
	"errors"
)

// Opcodes of RFC 6455 section 11.8 that a load client has to tell apart.
const (
	Text   = 0x1
	Binary = 0x2
	Close  = 0x8
	Ping   = 0x9
	Pong   = 0xA
)

// Errors that Next returns for streams this client does not read.
var (
	ErrMasked     = errors.New("frame: a server must not mask its frames")
	ErrFragmented = errors.New("frame: fragmented or compressed messages are not supported")
	ErrTooLong    = errors.New("frame: longer than 1 MiB")
)

const maxPayload = 1 << 20

// Frame is one frame. Payload aliases the input of Next.
type Frame struct {
	Op      byte
	Payload []byte
}

// Next takes the first frame off b and returns what follows it. When b ends
// inside a frame, ok is false and rest is b.
func Next(b []byte) (f Frame, rest []byte, ok bool, err error) {
	if len(b) < 2 {
		return Frame{}, b, false, nil
	}
	if err := check(b[0], b[1]); err != nil {
		return Frame{}, b, false, err
	}
	head, length, ok := lengthOf(b)
	if !ok {
		return Frame{}, b, false, nil
	}
	if length > maxPayload {
		return Frame{}, b, false, ErrTooLong
	}
	end := head + int(length)
	if len(b) < end {
		return Frame{}, b, false, nil
	}
	return Frame{Op: b[0] & 0x0F, Payload: b[head:end]}, b[end:], true, nil
}

func check(first, second byte) error {
	if second&0x80 != 0 {
		return ErrMasked
	}
	if first&0xF0 != 0x80 {
		return ErrFragmented
	}
	return nil
}

func lengthOf(b []byte) (head int, length uint64, ok bool) {
	switch short := b[1]; {
	case short < 126:
		return 2, uint64(short), true
	case short == 126:
		if len(b) < 4 {
			return 0, 0, false
		}
		return 4, uint64(binary.BigEndian.Uint16(b[2:])), true
	default:
		if len(b) < 10 {
			return 0, 0, false
		}
		return 10, binary.BigEndian.Uint64(b[2:]), true
	}
}

// AppendServer appends one unmasked, unfragmented frame.
func AppendServer(dst []byte, op byte, payload []byte) []byte {
	dst = appendHeader(dst, op, 0, len(payload))
	return append(dst, payload...)
}

// AppendClient appends one frame masked with the key 0, which leaves the
// payload as it is: a load client has no proxy to protect.
func AppendClient(dst []byte, op byte, payload []byte) []byte {
	dst = appendHeader(dst, op, 0x80, len(payload))
	dst = append(dst, 0, 0, 0, 0)
	return append(dst, payload...)
}

func appendHeader(dst []byte, op, mask byte, length int) []byte {
	dst = append(dst, 0x80|op)
	switch {
	case length < 126:
		return append(dst, mask|byte(length))
	case length <= 0xFFFF:
		dst = append(dst, mask|126)
		return binary.BigEndian.AppendUint16(dst, uint16(length))
	default:
		dst = append(dst, mask|127)
		return binary.BigEndian.AppendUint64(dst, uint64(length))
	}
}
