package socket

import (
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// partial is what a Reader holds while a frame or a message is incomplete.
type partial struct {
	// The header being read, while the input ends inside it.
	raw    [maxHeader]byte
	rawLen int

	// The frame being read.
	head    head
	inFrame bool
	arrived int    // octets of its payload
	control []byte // its payload, if it is a control frame

	// The message being read.
	op         Opcode // zero if there is none
	compressed bool
	data       []byte
	valid      int // octets of data that are whole runes, if it is plain text
}

// read goes on where the input of the last call ended, up to the next event.
func (p *partial) read(cfg *Config, deflate bool, in []byte) (ev Event, rest []byte, err error) {
	for fragments := 0; ; fragments++ {
		if !p.inFrame {
			if in, err = p.readHead(cfg, deflate, in); err != nil {
				return Event{}, nil, err
			}
		}
		if p.inFrame {
			if in, err = p.readPayload(in); err != nil {
				return Event{}, nil, err
			}
		}
		if !p.inFrame || p.arrived < p.head.length {
			return Event{Fragments: fragments}, in, nil
		}
		if ev, err = p.endFrame(cfg); err != nil || ev.Kind != None {
			ev.Fragments = fragments
			return ev, in, err
		}
	}
}

// readHead takes a header from in, or keeps what is there of it.
func (p *partial) readHead(cfg *Config, deflate bool, in []byte) (rest []byte, err error) {
	s := rules{
		client: cfg.Client, deflate: deflate, limit: cfg.wireLimit(),
		open: p.op != 0, compressed: p.compressed, held: len(p.data),
	}
	had := p.rawLen
	p.rawLen += copy(p.raw[had:], in)
	h, size, err := s.parse(p.raw[:p.rawLen])
	if err != nil || size == 0 {
		// A header is never longer than raw: without one, all of in went into it.
		return nil, err
	}
	p.begin(h)
	return in[size-had:], nil
}

func (p *partial) begin(h head) {
	p.rawLen = 0
	p.head, p.inFrame, p.arrived = h, true, 0
	if h.op == OpText || h.op == OpBinary {
		p.op, p.compressed = h.op, h.rsv1
	}
}

// readPayload takes what in holds of the frame's payload.
func (p *partial) readPayload(in []byte) (rest []byte, err error) {
	n := min(len(in), p.head.length-p.arrived)
	chunk := in[:n]
	if p.head.masked {
		ws.Cipher(chunk, p.head.mask, p.arrived)
	}
	p.arrived += n
	if p.head.op.control() {
		p.control = append(p.control, chunk...)
		return in[n:], nil
	}
	p.data = append(p.grown(n), chunk...)
	return in[n:], p.checkText()
}

// grown returns data with room for n octets more. It doubles, so that small pieces cost no more than
// large ones, but not beyond the end of the last frame.
func (p *partial) grown(n int) []byte {
	need := len(p.data) + n
	if need <= cap(p.data) {
		return p.data
	}
	size := 2 * need
	if p.head.fin {
		size = min(size, need+p.head.length-p.arrived)
	}
	data := append(newBuffer(size), p.data...)
	Recycle(p.data)
	return data
}

// checkText fails as soon as the text so far cannot become valid UTF-8. Compressed text is checked
// when it is inflated.
func (p *partial) checkText() error {
	if p.op != OpText || p.compressed {
		return nil
	}
	n, ok := validPrefix(p.data[p.valid:])
	if !ok {
		return dataError("text is not UTF-8")
	}
	p.valid += n
	return nil
}

// endFrame returns the event that the end of the frame brings, if any. What it returns is owned by
// the caller: the partial may be gone by the time it is used.
func (p *partial) endFrame(cfg *Config) (ev Event, err error) {
	p.inFrame = false
	if p.head.op.control() {
		ev, err = controlEvent(p.head.op, p.control)
		p.control = nil
		ev.Owned = true
		return ev, err
	}
	if !p.head.fin {
		return Event{}, nil
	}
	return p.endMessage(cfg)
}

// endMessage leaves the rest of p as it is: with no message and no frame open, the Reader drops it.
func (p *partial) endMessage(cfg *Config) (Event, error) {
	op := p.op
	p.op = 0
	if p.compressed {
		ev, err := deflatedEvent(cfg, op, p.data)
		ev.Owned = true
		return ev, err
	}
	if op == OpText && p.valid < len(p.data) {
		return Event{}, dataError("text ends inside a rune")
	}
	return Event{Kind: Message, Op: op, Data: p.data, Owned: true}, nil
}

// validPrefix returns the length of the whole runes at the start of b, and whether b can be the
// beginning of valid UTF-8.
func validPrefix(b []byte) (n int, ok bool) {
	n = len(b)
	for i := n - 1; i >= max(0, n-utf8.UTFMax+1); i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				n = i
			}
			break
		}
	}
	return n, utf8.Valid(b[:n])
}
