package socket

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// DefaultMaxMessage is the limit of a message, in octets, where a [Config] has none.
const DefaultMaxMessage = 64 << 10

// Config is what many Readers share. It must not change while one of them uses it.
// The zero value is a server that takes messages of up to [DefaultMaxMessage] octets.
type Config struct {
	// Client says that we are the client: frames of the peer must be unmasked. A server refuses
	// unmasked frames (RFC 6455 section 5.1).
	Client bool
	// MaxMessage is the limit of one message as it travels, all its fragments together, in octets.
	// Zero or less is DefaultMaxMessage. A message that travels compressed may be longer by the few
	// octets that deflate adds to what it cannot compress.
	MaxMessage int
	// MaxInflated is the limit of a compressed message after inflation, in octets.
	// Zero or less is MaxMessage.
	MaxInflated int
	// KeepDeflated leaves compressed messages as they came: their events are
	// Deflated, and the caller inflates them with [Inflate], when and where it likes.
	KeepDeflated bool
}

func (c *Config) wireLimit() int {
	if c.MaxMessage <= 0 {
		return DefaultMaxMessage
	}
	return c.MaxMessage
}

func (c *Config) inflatedLimit() int {
	if c.MaxInflated <= 0 {
		return c.wireLimit()
	}
	return c.MaxInflated
}

// EventKind says what [Reader.Next] found.
type EventKind byte

// The kinds of event.
const (
	None    EventKind = iota // all input is consumed, more is needed
	Message                  // a whole message: Op and Data
	Ping                     // answer with a pong that carries Data
	Pong                     // Data is what the ping carried, if it was not unsolicited
	Close                    // Code and Data, the reason; the peer sends nothing after it
)

// Event is one thing that arrived.
type Event struct {
	Kind EventKind
	// Op is OpText or OpBinary for a Message.
	Op Opcode
	// Owned says that Data belongs to the caller. Otherwise Data aliases the input of Next and is
	// valid until that is overwritten.
	Owned bool
	// Deflated says that Data is a Message's compressed form, see Config.KeepDeflated.
	Deflated bool
	// Fragments is how many frames came to their end in this call, before the one that brought
	// the event: parts of a message that goes on.
	Fragments int
	// Code is the status of a Close: one a peer may send, or CloseNoStatus (1005) if it sent none.
	Code uint16
	Data []byte
}

// Progress reports whether at least one frame came to its end. A deadline against peers that trickle
// octets moves on this alone.
func (e *Event) Progress() bool { return e.Kind != None || e.Fragments > 0 }

// Reader turns the octets of one connection into events. The zero value is ready for use, just after
// the handshake. It is one pointer, nil while no frame or message is incomplete, so that an idle
// connection holds no buffer. Not safe for concurrent use.
type Reader struct {
	p *partial
}

// Next reads the next event from in, and returns it with the octets after it. Call it again with
// rest until the event is None: then all of in is consumed, and what was incomplete is copied.
// in may be cut anywhere. It is unmasked in place. deflate says that permessage-deflate was
// negotiated on this connection.
//
// Memory for an incomplete message grows with what arrived, never with the length that was declared.
//
// An error is always a [*ProtocolError], and comes as soon as the octets so far cannot be the
// beginning of anything valid. After an error or a Close event everything is consumed and ignored
// (RFC 6455 sections 5.5.1 and 7.1.7).
func (r *Reader) Next(cfg *Config, deflate bool, in []byte) (ev Event, rest []byte, err error) {
	if len(in) == 0 || r.p == ended {
		return Event{}, nil, nil
	}
	if r.p == nil {
		ev, rest, err = readWhole(cfg, deflate, in)
		if err != nil || ev.Kind != None {
			return r.settle(ev, rest, err)
		}
		r.p = new(partial)
	}
	ev, rest, err = r.p.read(cfg, deflate, in)
	return r.settle(ev, rest, err)
}

// Incomplete reports whether a frame or a message has begun and not ended.
func (r *Reader) Incomplete() bool { return r.p != nil && r.p != ended }

// ended marks a Reader that saw the last octet it cares for. It is never written to.
var ended = new(partial)

// settle drops the state that what was read no longer needs.
func (r *Reader) settle(ev Event, rest []byte, err error) (Event, []byte, error) {
	switch {
	case err != nil:
		r.p = ended
		return Event{}, nil, err
	case ev.Kind == Close:
		r.p = ended
		return ev, nil, nil
	case ev.Kind != None && r.p != nil && r.p.op == 0:
		r.p = nil
	}
	return ev, rest, nil
}

// readWhole reads a frame that is a whole message or a control frame and lies in the input from end
// to end: the way of nearly all frames, without a copy. The event is None if there is none.
func readWhole(cfg *Config, deflate bool, in []byte) (ev Event, rest []byte, err error) {
	s := rules{client: cfg.Client, deflate: deflate, limit: cfg.wireLimit()}
	h, size, err := s.parse(in)
	if err != nil || size == 0 || !h.fin || len(in)-size < h.length {
		return Event{}, in, err
	}
	payload, rest := in[size:size+h.length:size+h.length], in[size+h.length:]
	if h.masked {
		ws.Cipher(payload, h.mask, 0)
	}
	switch {
	case h.op.control():
		ev, err = controlEvent(h.op, payload)
	case h.rsv1:
		ev, err = deflatedEvent(cfg, h.op, payload)
	case h.op == OpText && !utf8.Valid(payload):
		err = dataError("text is not UTF-8")
	default:
		ev = Event{Kind: Message, Op: h.op, Data: payload}
	}
	return ev, rest, err
}

// deflatedEvent returns a message that travelled compressed, inflated unless the
// caller keeps it as it is.
func deflatedEvent(cfg *Config, op Opcode, payload []byte) (Event, error) {
	if cfg.KeepDeflated {
		return Event{Kind: Message, Op: op, Data: payload, Deflated: true}, nil
	}
	data, err := Inflate(cfg, op, payload)
	if err != nil {
		return Event{}, err
	}
	return Event{Kind: Message, Op: op, Data: data, Owned: true}, nil
}

// Inflate returns the message of which payload is the compressed form: the Data of
// a Deflated event. The result belongs to the caller; payload is not changed. An
// error is always a [*ProtocolError]: the message breaks the protocol, or the limit.
func Inflate(cfg *Config, op Opcode, payload []byte) ([]byte, error) {
	data, err := inflate(payload, cfg.inflatedLimit())
	if err != nil {
		return nil, err
	}
	if op == OpText && !utf8.Valid(data) {
		return nil, dataError("text is not UTF-8")
	}
	return data, nil
}

func controlEvent(op Opcode, body []byte) (Event, error) {
	switch op {
	case OpPing:
		return Event{Kind: Ping, Data: body}, nil
	case OpPong:
		return Event{Kind: Pong, Data: body}, nil
	default:
		return closeEvent(body)
	}
}

func closeEvent(body []byte) (Event, error) {
	if len(body) == 0 {
		return Event{Kind: Close, Code: CloseNoStatus}, nil
	}
	if len(body) == 1 {
		return Event{}, protocolError("close frame with half a code")
	}
	code, reason := binary.BigEndian.Uint16(body), body[2:]
	if !ValidCloseCode(code) {
		return Event{}, protocolError(fmt.Sprintf("close code %d", code))
	}
	if !utf8.Valid(reason) {
		return Event{}, dataError("close reason is not UTF-8")
	}
	return Event{Kind: Close, Code: code, Data: reason}, nil
}
