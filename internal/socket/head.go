package socket

import (
	"encoding/binary"
	"fmt"
)

// head is a frame header, RFC 6455 section 5.2.
type head struct {
	fin    bool
	rsv1   bool
	masked bool
	op     Opcode
	mask   [4]byte
	length int
}

// rules is what the next header must fit: the role, what was negotiated, and the open message.
type rules struct {
	client     bool
	deflate    bool
	open       bool // a message waits for continuation frames
	compressed bool // the open message is compressed
	held       int  // octets of the open message that are here
	limit      int  // octets a message may have on the wire
}

// parse reads the header at the start of b. size is its length in octets, or zero while b is too
// short. Every octet is checked as soon as it is there.
func (s *rules) parse(b []byte) (h head, size int, err error) {
	if len(b) == 0 {
		return h, 0, nil
	}
	h = head{fin: b[0]&bitFIN != 0, rsv1: b[0]&bitRSV1 != 0, op: Opcode(b[0] & 0xF)}
	if err := s.checkKind(h, b[0]); err != nil {
		return h, 0, err
	}
	if len(b) < 2 {
		return h, 0, nil
	}
	h.masked = b[1]&bitMask != 0
	length := b[1] &^ bitMask
	if err := s.checkSecond(h, length); err != nil {
		return h, 0, err
	}
	size, err = s.parseLength(&h, length, b)
	if err != nil || size == 0 || !h.masked {
		return h, size, err
	}
	if len(b) < size+len(h.mask) {
		return h, 0, nil
	}
	copy(h.mask[:], b[size:])
	return h, size + len(h.mask), nil
}

func (s *rules) checkKind(h head, first byte) error {
	switch {
	case first&(bitRSV&^bitRSV1) != 0:
		return protocolError("reserved bit set")
	case !h.op.known():
		return protocolError("reserved opcode")
	case h.op.control() && !h.fin:
		return protocolError("fragmented control frame")
	case h.rsv1 && (h.op.control() || h.op == OpContinuation):
		return protocolError("compression bit on a frame that does not begin a message")
	case h.rsv1 && !s.deflate:
		return protocolError("compressed frame without permessage-deflate")
	case h.op == OpContinuation && !s.open:
		return protocolError("continuation frame without a message")
	case h.op != OpContinuation && !h.op.control() && s.open:
		return protocolError("new message inside a fragmented one")
	}
	return nil
}

func (s *rules) checkSecond(h head, length byte) error {
	switch {
	case h.masked && s.client:
		return protocolError("masked frame from a server")
	case !h.masked && !s.client:
		return protocolError("unmasked frame from a client")
	case h.op.control() && length > maxControl:
		return protocolError("control frame over 125 bytes")
	}
	return nil
}

// parseLength sets h.length. size is the length of the header so far, without the mask.
func (s *rules) parseLength(h *head, length byte, b []byte) (size int, err error) {
	long, least := uint64(length), uint64(0)
	size = 2
	switch {
	case length == 126 && len(b) >= 4:
		long, least, size = uint64(binary.BigEndian.Uint16(b[2:])), 126, 4
	case length == 127 && len(b) >= 10:
		long, least, size = binary.BigEndian.Uint64(b[2:]), 1<<16, 10
	case length > maxControl:
		return 0, nil
	}
	if long < least {
		return 0, protocolError("length not in its shortest form")
	}
	if long>>63 != 0 {
		return 0, protocolError("length over 63 bits")
	}
	if !h.op.control() {
		err = s.checkSize(h, long)
	}
	h.length = int(long)
	return size, err
}

// checkSize compares in uint64: the declared length may be more than an int holds.
func (s *rules) checkSize(h *head, length uint64) error {
	limit := s.limit
	if h.rsv1 || s.compressed {
		limit += deflateSlack(limit)
	}
	if length > uint64(limit-s.held) {
		return &ProtocolError{CloseTooBig, fmt.Sprintf("message over %d bytes", s.limit)}
	}
	return nil
}

// deflateSlack is what deflate may add to data it cannot compress: 5 octets for every stored block,
// which encoders make of 16 KiB or more, and a few for the last.
func deflateSlack(limit int) int { return limit>>10 + 64 }

func protocolError(text string) error { return &ProtocolError{CloseProtocol, text} }

func dataError(text string) error { return &ProtocolError{CloseInvalidData, text} }
