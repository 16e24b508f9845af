package wsconformance

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// The close codes that cases wait for, RFC 6455 section 7.4.1.
const (
	codeNormal   uint16 = 1000
	codeProtocol uint16 = 1002
	codeNoStatus uint16 = 1005 // stands for a close frame without a code
	codeData     uint16 = 1007
	codePolicy   uint16 = 1008
	codeTooBig   uint16 = 1009
)

// peer is one connection to the endpoint under test. Not safe for concurrent use, but for one
// goroutine that sends while another one reads.
type peer struct {
	conn     net.Conn
	r        *bufio.Reader
	opts     *Options
	isClient bool // we are the client, the endpoint is a server
	host     string
	path     string

	// set by open
	agreed deflateTerms // nil without permessage-deflate
	out    packer
	in     unpacker

	pushed *event   // read, and put back
	loose  []string // what is allowed but not strict
	ended  bool     // a close frame was sent
}

// event is a message or a control frame that arrived.
type event struct {
	op     byte
	data   []byte
	packed bool // it was compressed
	// optional is for expectations: a close may come instead, which is not strict.
	optional bool
}

func (e event) String() string {
	names := map[byte]string{opText: "text", opBinary: "binary", opClose: "close", opPing: "ping", opPong: "pong"}
	if e.op == opClose {
		return fmt.Sprintf("close %d %q", e.code(), e.data[min(2, len(e.data)):])
	}
	if len(e.data) > 32 {
		return fmt.Sprintf("%s of %d octets (%q...)", names[e.op], len(e.data), e.data[:24])
	}
	return fmt.Sprintf("%s %q", names[e.op], e.data)
}

func (e event) code() uint16 {
	if len(e.data) < 2 {
		return codeNoStatus
	}
	return binary.BigEndian.Uint16(e.data)
}

// note remembers something that is allowed but not strict.
func (p *peer) note(format string, args ...any) {
	p.loose = append(p.loose, fmt.Sprintf(format, args...))
}

// send writes frames. That a write fails is no finding: what the endpoint sent before tells more.
func (p *peer) send(c chop, frames ...frame) {
	encoded := make([][]byte, len(frames))
	for i, f := range frames {
		encoded[i] = f.append(nil, p.isClient)
		p.ended = p.ended || f.op == opClose
	}
	for _, piece := range c.cut(encoded) {
		p.write(piece)
	}
}

func (p *peer) write(b []byte) {
	_ = p.conn.SetWriteDeadline(time.Now().Add(p.opts.timeout()))
	_, _ = p.conn.Write(b)
}

// awaitRead gives what is read next its time.
func (p *peer) awaitRead() { _ = p.conn.SetReadDeadline(time.Now().Add(p.opts.timeout())) }

// next reads the next message or control frame, and checks all its frames.
func (p *peer) next() (event, error) {
	if p.pushed != nil {
		ev := *p.pushed
		p.pushed = nil
		return ev, nil
	}
	p.awaitRead()
	var message *event
	for {
		f, err := p.readChecked(message)
		if err != nil {
			return event{}, err
		}
		switch {
		case isControl(f.op):
			if message != nil {
				return event{}, errors.New("it put a control frame into a fragmented message, which no case asks for")
			}
			return event{op: f.op, data: f.payload}, nil
		case message == nil:
			message = &event{op: f.op, packed: f.rsv == rsv1, data: f.payload}
		default:
			message.data = append(message.data, f.payload...)
		}
		if f.fin {
			return p.unpacked(*message)
		}
	}
}

// readChecked reads a frame and checks that the endpoint may send it here.
func (p *peer) readChecked(message *event) (inFrame, error) {
	f, err := readFrame(p.r)
	switch {
	case err != nil:
		return f, err
	case f.masked == p.isClient:
		return f, fmt.Errorf("it sent a frame with masked %v", f.masked)
	case f.rsv != 0 && (f.rsv != rsv1 || p.agreed == nil || isControl(f.op) || message != nil):
		return f, fmt.Errorf("it sent a frame with reserved bits %d, opcode %d", f.rsv, f.op)
	}
	switch f.op {
	case opText, opBinary:
		if message != nil {
			return f, errors.New("it began a message inside a fragmented one")
		}
	case opContinuation:
		if message == nil {
			return f, errors.New("it sent a continuation frame without a message")
		}
	case opClose, opPing, opPong:
	default:
		return f, fmt.Errorf("it sent opcode %d", f.op)
	}
	return f, nil
}

func (p *peer) unpacked(message event) (event, error) {
	if !message.packed {
		return message, nil
	}
	var err error
	message.data, err = p.in.unpack(message.data)
	return message, err
}

// expect reads what must come, in order.
func (p *peer) expect(wanted ...event) error {
	for _, want := range wanted {
		got, err := p.next()
		if want.optional && (got.op == opClose || dropped(err)) {
			p.note("%v did not come before the end", want)
			if err == nil {
				p.pushed = &got
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("wanted %v: %w", want, describe(err))
		}
		if got.op != want.op || !bytes.Equal(got.data, want.data) {
			return fmt.Errorf("wanted %v, got %v", want, got)
		}
	}
	return nil
}

// closes ends a connection that did nothing wrong: it must answer the close with the same code.
func (p *peer) closes() error {
	p.send(whole, closing(codeNormal, ""))
	return p.answersClose(codeNormal)
}

// answersClose waits for the answer to a close frame that was sent, and for the end of TCP.
func (p *peer) answersClose(codes ...uint16) error {
	got, err := p.next()
	if err != nil {
		return fmt.Errorf("wanted the answer to our close: %w", describe(err))
	}
	if err := checkClose(got, codes...); err != nil {
		return err
	}
	return p.ends()
}

func checkClose(got event, codes ...uint16) error {
	if got.op == opClose {
		for _, code := range codes {
			if got.code() == code {
				return nil
			}
		}
	}
	return fmt.Errorf("wanted close %d, got %v", codes[0], got)
}

// fails waits until the endpoint fails the connection with a code. For protocol errors it may drop
// the connection instead, which is not strict (RFC 6455 section 7.1.7 says SHOULD).
func (p *peer) fails(codes ...uint16) error {
	got, err := p.next()
	if dropped(err) && codes[0] == codeProtocol {
		p.note("TCP ended without a close frame")
		return nil
	}
	if err != nil {
		return fmt.Errorf("wanted close %d: %w", codes[0], describe(err))
	}
	if err := checkClose(got, codes...); err != nil {
		return err
	}
	if got.code() != codes[0] {
		p.note("close %d instead of %d", got.code(), codes[0])
	}
	if !p.ended {
		p.send(whole, frame{op: opClose, payload: got.data[:min(2, len(got.data))]})
	}
	return p.ends()
}

// failsEarly waits for a failure before the rest of a message is sent; if it comes only with the
// rest, that is not strict.
func (p *peer) failsEarly(code uint16, rest []byte) error {
	_ = p.conn.SetReadDeadline(time.Now().Add(p.opts.patience()))
	_, err := p.r.Peek(1)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.note("it waits for the rest of what cannot become valid")
		p.write(rest)
	}
	return p.fails(code)
}

// ends waits for the end of TCP. A server's tester waits for the server, a client's tester ends
// its own direction first (RFC 6455 section 7.1.1).
func (p *peer) ends() error {
	if half, ok := p.conn.(interface{ CloseWrite() error }); ok && !p.isClient {
		_ = half.CloseWrite()
	}
	_ = p.conn.SetReadDeadline(time.Now().Add(p.opts.patience()))
	_, err := p.r.ReadByte()
	switch {
	case err == nil:
		return errors.New("it sent something after its close frame")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("it did not close TCP within %v", p.opts.patience())
	}
	return nil
}

// dropped reports whether an error says that the endpoint ended TCP between two frames.
func dropped(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || isReset(err)
}

// isReset finds the resets of systems whose errors have other names.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout() && !errors.Is(err, net.ErrClosed)
}

func describe(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("nothing came in time")
	case dropped(err):
		return errors.New("TCP ended without a close frame")
	}
	return err
}
