package wsconformance

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"slices"

	kflate "github.com/klauspost/compress/flate"
)

// maxWindow is the largest window of deflate, and the usual one, as a power of two.
const maxWindow = 15

var (
	// flushTail ends a flushed deflate stream, and is left out of messages (RFC 7692 section 7.2.1).
	flushTail      = []byte{0x00, 0x00, 0xFF, 0xFF}
	emptyLastBlock = []byte{0x01, 0x00, 0x00, 0xFF, 0xFF}
)

// direction is how the messages of one side are compressed.
type direction struct {
	fresh bool // every message begins with an empty window
	bits  int  // the window, as a power of two
}

// packer compresses messages.
type packer struct {
	direction
	buf bytes.Buffer
	w   *kflate.Writer // made for the first message
}

// pack returns a message compressed. The result is valid until the next call.
func (p *packer) pack(message []byte) ([]byte, error) {
	p.buf.Reset()
	if err := p.prepare(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if _, err := p.w.Write(message); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := p.w.Flush(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return bytes.TrimSuffix(p.buf.Bytes(), flushTail), nil
}

// prepare makes the one encoder there is that can keep to a smaller window, or empties its window.
func (p *packer) prepare() (err error) {
	if p.w == nil {
		p.w, err = kflate.NewWriterWindow(&p.buf, 1<<p.bits)
	} else if p.fresh {
		p.w.Reset(&p.buf)
	}
	return err
}

// unpacker inflates messages.
type unpacker struct {
	direction
	past []byte        // the window, if it is kept
	r    io.ReadCloser // made for the first message
}

// unpack returns the message. It reads to the end of an empty last block that it adds, so that a
// stream that was cut is noticed.
func (u *unpacker) unpack(packed []byte) ([]byte, error) {
	in := bytes.NewReader(slices.Concat(packed, flushTail, emptyLastBlock))
	if u.r == nil {
		u.r = flate.NewReader(in)
	}
	if err := u.r.(flate.Resetter).Reset(in, u.past); err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	message, err := io.ReadAll(u.r)
	if err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	if !u.fresh {
		u.past = append(u.past, message...)
		u.past = u.past[max(0, len(u.past)-1<<u.bits):]
	}
	return message, nil
}
