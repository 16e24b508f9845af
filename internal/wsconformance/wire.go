package wsconformance

import (
	"bufio"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
)

// The opcodes of RFC 6455 section 5.2.
const (
	opContinuation byte = 0x0
	opText         byte = 0x1
	opBinary       byte = 0x2
	opClose        byte = 0x8
	opPing         byte = 0x9
	opPong         byte = 0xA
)

// The reserved bits as rsv counts them.
const (
	rsv1 byte = 4
	rsv2 byte = 2
	rsv3 byte = 1
)

// maxHeader is the longest header of a frame, in octets.
const maxHeader = 14

func isControl(op byte) bool { return op&0x8 != 0 }

// frame is a frame to be sent. Nothing about it has to be right.
type frame struct {
	op      byte
	rsv     byte // three bits, RSV1 is 4
	more    bool // FIN is not set
	payload []byte

	width     int    // octets of the extended length, 2 or 8; 0: the shortest form
	declared  uint64 // the length to declare, if width is set
	wrongMask bool   // masked as only the other side may
}

func text(s string) frame          { return frame{op: opText, payload: []byte(s)} }
func binaryOf(s string) frame      { return frame{op: opBinary, payload: []byte(s)} }
func ping(s string) frame          { return frame{op: opPing, payload: []byte(s)} }
func pong(s string) frame          { return frame{op: opPong, payload: []byte(s)} }
func part(op byte, s string) frame { return frame{op: op, payload: []byte(s), more: true} }
func last(s string) frame          { return frame{op: opContinuation, payload: []byte(s)} }

func closing(code uint16, reason string) frame {
	return frame{op: opClose, payload: append(binary.BigEndian.AppendUint16(nil, code), reason...)}
}

// fragments cuts a message into frames of size octets.
func fragments(op byte, payload []byte, size int) []frame {
	var all []frame
	for piece := range slices.Chunk(payload, size) {
		all = append(all, frame{op: op, payload: piece, more: true})
		op = opContinuation
	}
	all[len(all)-1].more = false
	return all
}

// append appends the frame's octets, masked with a new key if mask says so.
func (f frame) append(dst []byte, mask bool) []byte {
	first := f.rsv<<4 | f.op
	if !f.more {
		first |= 0x80
	}
	maskBit := byte(0)
	if mask != f.wrongMask {
		maskBit = 0x80
	}
	dst = slices.Grow(dst, maxHeader+len(f.payload))
	dst = f.appendLength(append(dst, first), maskBit)
	if maskBit == 0 {
		return append(dst, f.payload...)
	}
	key := rand.Uint32()
	dst = binary.BigEndian.AppendUint32(dst, key)
	start := len(dst)
	dst = append(dst, f.payload...)
	applyMask(dst[start:], key)
	return dst
}

func (f frame) appendLength(dst []byte, maskBit byte) []byte {
	width, length := f.width, uint64(len(f.payload))
	switch {
	case width != 0:
		length = f.declared
	case length > 0xFFFF:
		width = 8
	case length > 125:
		width = 2
	}
	switch width {
	case 8:
		return binary.BigEndian.AppendUint64(append(dst, maskBit|127), length)
	case 2:
		return binary.BigEndian.AppendUint16(append(dst, maskBit|126), uint16(length))
	default:
		return append(dst, maskBit|byte(length))
	}
}

// applyMask masks b, whose first octet goes with the key's first.
func applyMask(b []byte, key uint32) {
	var pattern [4096]byte
	for i := 0; i < min(len(pattern), len(b)+3); i += 4 {
		binary.BigEndian.PutUint32(pattern[i:], key)
	}
	for piece := range slices.Chunk(b, len(pattern)) {
		subtle.XORBytes(piece, piece, pattern[:len(piece)])
	}
}

// chop says how the octets of some frames are cut into writes: a number of octets, or one of these.
type chop int

const (
	whole  chop = 0  // all in one write
	framed chop = -1 // a write for each frame
	octets chop = 1
)

func (c chop) String() string {
	switch c {
	case whole:
		return "whole"
	case framed:
		return "frame by frame"
	case octets:
		return "octet by octet"
	default:
		return fmt.Sprintf("%d octets at a time", int(c))
	}
}

// cut returns the writes that carry the encoded frames.
func (c chop) cut(encoded [][]byte) [][]byte {
	if c == framed || c == whole && len(encoded) == 1 {
		return encoded
	}
	all := slices.Concat(encoded...)
	if c == whole || len(all) == 0 {
		return [][]byte{all}
	}
	return slices.Collect(slices.Chunk(all, int(c)))
}

// inFrame is a frame that arrived.
type inFrame struct {
	fin     bool
	rsv     byte
	op      byte
	masked  bool
	payload []byte
}

// readStep is how much of a payload is allocated before it has come.
const readStep = 1 << 20

// readFrame reads one frame. It is strict: what no endpoint may send is an error.
func readFrame(r *bufio.Reader) (inFrame, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return inFrame{}, err
	}
	f := inFrame{fin: head[0]&0x80 != 0, rsv: head[0] >> 4 & 7, op: head[0] & 0xF, masked: head[1]&0x80 != 0}
	length, err := readLength(r, head[1]&0x7F)
	if err != nil {
		return f, err
	}
	if isControl(f.op) && (length > 125 || !f.fin) {
		return f, fmt.Errorf("it sent a control frame of %d octets, FIN %v", length, f.fin)
	}
	var key [4]byte
	if f.masked {
		if _, err := io.ReadFull(r, key[:]); err != nil {
			return f, cutShort(err)
		}
	}
	if f.payload, err = readPayload(r, length); err != nil {
		return f, err
	}
	if f.masked {
		applyMask(f.payload, binary.BigEndian.Uint32(key[:]))
	}
	return f, nil
}

func readLength(r *bufio.Reader, short byte) (uint64, error) {
	width := map[byte]int{126: 2, 127: 8}[short]
	if width == 0 {
		return uint64(short), nil
	}
	var wide [8]byte
	if _, err := io.ReadFull(r, wide[8-width:]); err != nil {
		return 0, cutShort(err)
	}
	length := binary.BigEndian.Uint64(wide[:])
	if length < 126 || width == 8 && length <= 0xFFFF {
		return 0, fmt.Errorf("it sent a length of %d in %d octets", length, width)
	}
	if length > 1<<30 {
		return 0, fmt.Errorf("it sent a length of %d", length)
	}
	return length, nil
}

func readPayload(r *bufio.Reader, length uint64) ([]byte, error) {
	payload := make([]byte, 0, min(length, readStep))
	for uint64(len(payload)) < length {
		n := int(min(length-uint64(len(payload)), readStep))
		payload = slices.Grow(payload, n)
		if _, err := io.ReadFull(r, payload[len(payload):len(payload)+n]); err != nil {
			return nil, cutShort(err)
		}
		payload = payload[:len(payload)+n]
	}
	return payload, nil
}

// cutShort makes an end inside a frame differ from one between frames.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return errCutShort
	}
	return err
}

var errCutShort = errors.New("TCP ended inside a frame")
