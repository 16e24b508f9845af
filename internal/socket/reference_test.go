package socket

import (
	"bytes"
	stdflate "compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// reference reads frames as RFC 6455 section 5 tells it, whole, slowly and with
// no state but local variables. The fuzz tests hold Reader against it.
type reference struct {
	cfg     Config
	deflate bool

	op         byte // of the open message, 0: none
	compressed bool
	message    []byte

	events []string
	ended  bool
	broken bool // what ended it is compressed data that is wrong, and maybe too long
}

func (r *reference) add(ev Event) {
	r.events = append(r.events, fmt.Sprintf("%s %x", describe(ev), ev.Data))
}

func (r *reference) fail(code int) {
	r.events, r.ended = append(r.events, fmt.Sprintf("fail %d", code)), true
}

// read returns what must come of in.
func (r *reference) read(in []byte) []string {
	for len(in) > 0 && !r.ended {
		n := r.frame(in)
		if n == 0 {
			break // cut
		}
		in = in[n:]
	}
	return r.events
}

// frame reads one frame and returns its length, 0 when it is cut or wrong.
func (r *reference) frame(in []byte) int {
	fin, rsv1, op := in[0]&0x80 != 0, in[0]&0x40 != 0, in[0]&0x0F
	control, known := op >= 8, op <= 2 || op >= 8 && op <= 10
	begins := op == 1 || op == 2
	switch {
	case in[0]&0x30 != 0, !known, control && !fin, rsv1 && !begins, rsv1 && !r.deflate,
		op == 0 && r.op == 0, begins && r.op != 0:
		r.fail(1002)
		return 0
	case len(in) < 2:
		return 0
	}
	at, length, ok := r.length(in, control)
	if !ok {
		return 0
	}
	if begins {
		r.compressed = rsv1
	}
	if !control && length > uint64(r.wireLimit()-len(r.message)) {
		r.fail(1009)
		return 0
	}
	var mask [4]byte
	if !r.cfg.Client {
		if len(in) < at+4 {
			return 0
		}
		at += copy(mask[:], in[at:])
	}
	payload := bytes.Clone(in[at:min(uint64(len(in)), uint64(at)+length)])
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	if whole := uint64(len(payload)) == length; r.payload(op, fin, whole, payload) && whole {
		return at + len(payload)
	}
	return 0
}

// length returns the declared length of a frame's payload and where the header
// goes on; ok is false when it is cut or wrong.
func (r *reference) length(in []byte, control bool) (at int, length uint64, ok bool) {
	masked, short := in[1]&0x80 != 0, in[1]&0x7F
	size := map[byte]int{126: 2, 127: 8}[short]
	at, length = 2+size, uint64(short)
	switch {
	case masked == r.cfg.Client, control && short > 125:
		r.fail(1002)
	case size == 0:
		return at, length, true
	case len(in) >= at:
		length = binary.BigEndian.Uint64(append(make([]byte, 8-size), in[2:at]...))
		if length >= 126 && (size == 2 || length >= 65536) && length < 1<<63 {
			return at, length, true
		}
		r.fail(1002)
	}
	return 0, 0, false
}

func (r *reference) wireLimit() int {
	if r.compressed {
		return r.cfg.MaxMessage + deflateSlack(r.cfg.MaxMessage)
	}
	return r.cfg.MaxMessage
}

// payload takes what is there of a frame's payload and reports whether all is well.
func (r *reference) payload(op byte, fin, whole bool, payload []byte) bool {
	if op >= 8 {
		if whole {
			r.control(op, payload)
		}
		return !r.ended
	}
	if op != 0 {
		r.op = op
	}
	r.message = append(r.message, payload...)
	if r.op == 1 && !r.compressed && !canBecomeValid(r.message) {
		r.fail(1007)
	} else if fin && whole {
		r.endMessage()
	}
	return !r.ended
}

func (r *reference) endMessage() {
	message, op := r.message, Opcode(r.op)
	if r.compressed {
		var code int
		if message, code = slowInflate(message, r.cfg.MaxMessage); code != 0 {
			r.fail(code)
			r.broken = isBroken(r.message)
			return
		}
	}
	if op == OpText && !utf8.Valid(message) {
		r.fail(1007)
		return
	}
	r.add(Event{Kind: Message, Op: op, Data: message})
	r.op, r.compressed, r.message = 0, false, nil
}

func (r *reference) control(op byte, body []byte) {
	switch {
	case op == 9:
		r.add(Event{Kind: Ping, Data: body})
	case op == 10:
		r.add(Event{Kind: Pong, Data: body})
	case len(body) == 0:
		r.add(Event{Kind: Close, Code: 1005})
		r.ended = true
	case len(body) == 1 || !mayTravel(int(body[0])<<8|int(body[1])):
		r.fail(1002)
	case !utf8.Valid(body[2:]):
		r.fail(1007)
	default:
		r.add(Event{Kind: Close, Code: binary.BigEndian.Uint16(body), Data: body[2:]})
		r.ended = true
	}
}

// mayTravel is RFC 6455 section 7.4 and what IANA has registered since.
func mayTravel(code int) bool {
	switch code {
	case 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014:
		return true
	}
	return code >= 3000 && code <= 4999
}

// matches reports whether events are those of read. Where a message is both too
// long and wrong further on, it is a matter of buffers which of the two is seen.
func (r *reference) matches(events []string) bool {
	if last := len(r.events) - 1; r.broken && len(events) == last+1 {
		return slices.Equal(events[:last], r.events[:last]) && (events[last] == "fail 1007" || events[last] == "fail 1009")
	}
	return slices.Equal(events, r.events)
}

// isBroken reports whether compressed data is wrong, be it beyond any limit.
func isBroken(payload []byte) bool {
	_, code := slowInflate(payload, 1<<22)
	return code == 1007
}

// slowInflate inflates with the standard library, one stream after the other. A
// code that is not 0 says why it cannot.
func slowInflate(payload []byte, limit int) (out []byte, code int) {
	src := bytes.NewReader(append(bytes.Clone(payload), inflateTail...))
	for src.Len() > 0 {
		part, err := io.ReadAll(io.LimitReader(stdflate.NewReader(src), int64(limit-len(out)+1)))
		if out = append(out, part...); len(out) > limit {
			return nil, 1009
		}
		if err != nil {
			return nil, 1007
		}
	}
	return out, 0
}
