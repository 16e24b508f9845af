// Package payload is the application message of the benchmark: a JSON object
// of a fixed size that carries its sequence number and send time at a fixed
// place, so that a load client can count and time every delivery without
// parsing JSON:
//
//	{"bench":"<16 hex digits: sequence><16 hex digits: Unix nanoseconds>","pad":"xxx"}
//
// It holds no state and is safe for concurrent use.
package payload

import (
	"bytes"
	"errors"
	"fmt"
)

// MinSize is the size in octets of a payload with empty padding.
const MinSize = len(mark) + StampSize + len(middle) + len(end)

// StampSize is the number of octets that hold sequence number and send time.
const StampSize = 32

const (
	mark   = `{"bench":"`
	middle = `","pad":"`
	end    = `"}`
	digits = "0123456789abcdef"
)

// ErrMalformed is returned by Decode for a stamp that is not hexadecimal.
var ErrMalformed = errors.New("payload: stamp is not 32 hexadecimal digits")

// New builds a payload of size octets (MinSize where size is smaller).
func New(seq uint64, sentAt int64, size int) []byte {
	size = max(size, MinSize)
	p := make([]byte, 0, size)
	p = append(p, mark...)
	p = appendHex(p, seq)
	p = appendHex(p, uint64(sentAt))
	p = append(p, middle...)
	for len(p) < size-len(end) {
		p = append(p, 'x')
	}
	return append(p, end...)
}

func appendHex(dst []byte, v uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[v>>shift&0xF])
	}
	return dst
}

// Find returns where the first payload starts in a message, or -1. It looks at
// hint first, because envelopes put the payload in the same place every time.
func Find(message []byte, hint int) int {
	if hint >= 0 && len(message) >= hint+MinSize && string(message[hint:hint+len(mark)]) == mark {
		return hint
	}
	i := bytes.Index(message, []byte(mark))
	if i < 0 || len(message) < i+MinSize {
		return -1
	}
	return i
}

// Stamp returns the octets of a payload, found by Find, that hold its sequence
// number and send time.
func Stamp(p []byte) *[StampSize]byte {
	return (*[StampSize]byte)(p[len(mark):])
}

// Decode reads a stamp.
func Decode(stamp *[StampSize]byte) (seq uint64, sentAt int64, err error) {
	seq, ok1 := parseHex(stamp[:16])
	at, ok2 := parseHex(stamp[16:])
	if !ok1 || !ok2 {
		return 0, 0, ErrMalformed
	}
	return seq, int64(at), nil
}

func parseHex(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// Check reports whether the payload that starts p is size octets long and ends
// where it should.
func Check(p []byte, size int) error {
	if len(p) < size || string(p[size-len(end):size]) != end {
		return fmt.Errorf("payload: not the %d octets that were sent", size)
	}
	return nil
}
