package socket

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

const (
	bitFIN  = 0x80
	bitRSV1 = 0x40
	bitRSV  = 0x70
	bitMask = 0x80

	maxControl = 125
	// maxHeader is the longest frame header: two octets, a 64-bit length, a mask.
	maxHeader = 14
)

// AppendHeader appends the header of an unfragmented, unmasked frame, as a server sends it, with a
// payload of length octets. rsv1 marks a compressed message (RFC 7692 section 6).
func AppendHeader(dst []byte, op Opcode, length int, rsv1 bool) []byte {
	first := bitFIN | byte(op)
	if rsv1 {
		first |= bitRSV1
	}
	return appendLength(append(dst, first), length, 0)
}

func appendLength(dst []byte, length int, mask byte) []byte {
	switch {
	case length <= maxControl:
		return append(dst, mask|byte(length))
	case length <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(dst, mask|126), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(dst, mask|127), uint64(length))
	}
}

// AppendFrame appends an unfragmented, unmasked frame, as a server sends it.
func AppendFrame(dst []byte, op Opcode, payload []byte) []byte {
	return append(AppendHeader(dst, op, len(payload), false), payload...)
}

// AppendMaskedFrame appends an unfragmented frame as a client sends it. The mask must be new and
// unpredictable for every frame (RFC 6455 section 5.3). payload is not changed.
func AppendMaskedFrame(dst []byte, op Opcode, payload []byte, mask [4]byte) []byte {
	return appendMasked(dst, bitFIN|byte(op), payload, mask)
}

func appendMasked(dst []byte, first byte, payload []byte, mask [4]byte) []byte {
	dst = appendLength(append(dst, first), len(payload), bitMask)
	dst = append(dst, mask[:]...)
	start := len(dst)
	dst = append(dst, payload...)
	ws.Cipher(dst[start:], mask, 0)
	return dst
}

// AppendClose appends a close frame as a server sends it, see [AppendCloseBody].
func AppendClose(dst []byte, code uint16, reason string) []byte {
	var body [maxControl]byte
	return AppendFrame(dst, OpClose, AppendCloseBody(body[:0], code, reason))
}

// AppendCloseBody appends the payload of a close frame: the code, and the reason, with what is not
// UTF-8 replaced, cut to 123 octets on a rune boundary. The codes 1005, 1006 and 1015 must not
// travel (RFC 6455 section 7.4.1): they make an empty payload.
func AppendCloseBody(dst []byte, code uint16, reason string) []byte {
	switch code {
	case CloseNoStatus, CloseAbnormal, closeTLS:
		return dst
	}
	dst = binary.BigEndian.AppendUint16(dst, code)
	return append(dst, cutReason(reason)...)
}

func cutReason(reason string) string {
	reason = strings.ToValidUTF8(reason, string(utf8.RuneError))
	end := min(len(reason), maxControl-2)
	for end < len(reason) && !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}

// FrameLen returns the sizes of the frame at the start of b, which must be one that AppendFrame,
// AppendDeflatedFrame or AppendClose built: it finds where the frames of a joined chunk begin, and
// checks nothing. ok is false if b holds less than the header. The payload may be longer than b.
func FrameLen(b []byte) (header, payload int, ok bool) {
	if len(b) < 2 {
		return 0, 0, false
	}
	switch n := int(b[1] &^ bitMask); {
	case n < 126:
		return 2, n, true
	case n == 126 && len(b) >= 4:
		return 4, int(binary.BigEndian.Uint16(b[2:])), true
	case n == 127 && len(b) >= 10:
		return 10, int(binary.BigEndian.Uint64(b[2:])), true
	default:
		return 0, 0, false
	}
}
