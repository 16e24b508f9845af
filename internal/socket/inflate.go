package socket

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// inflateTail completes a compressed message: the octets that every sender leaves out (RFC 7692
// section 7.2.2), and an empty last block, so that the stream has an end and a cut one is noticed.
const inflateTail = flushTail + "\x01\x00\x00\xff\xff"

type inflater struct {
	in  []byte
	src bytes.Reader
	r   io.ReadCloser
}

var inflaters = sync.Pool{New: func() any {
	d := new(inflater)
	d.r = flate.NewReader(&d.src)
	return d
}}

// inflate returns the message that payload is the compressed form of. It stops one octet above
// limit, with 1009. What is not deflate data is 1007: the frame was right, what it carries is not.
func inflate(payload []byte, limit int) ([]byte, error) {
	d := inflaters.Get().(*inflater)
	defer d.release()
	// The copy buys the decoder's fast path, which wants all its input in one bytes.Reader.
	d.in = append(append(d.in[:0], payload...), inflateTail...)
	d.src.Reset(d.in)
	return d.readAll(limit, 4*len(payload))
}

// readAll inflates all of d.src. A block that calls itself the last may end before the message does
// (RFC 7692 section 7.2.3.4); what follows it begins with an empty window.
func (d *inflater) readAll(limit, guess int) (out []byte, err error) {
	out = make([]byte, 0, min(guess, limit)+1)
	for d.src.Len() > 0 {
		if err := d.r.(flate.Resetter).Reset(&d.src, nil); err != nil {
			return nil, inflateError(err)
		}
		if out, err = d.readStream(out, limit); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readStream appends one deflate stream to out.
func (d *inflater) readStream(out []byte, limit int) ([]byte, error) {
	for {
		if len(out) == cap(out) {
			out = append(make([]byte, 0, min(2*len(out), limit+1)), out...)
		}
		n, err := d.r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case len(out) > limit:
			return nil, &ProtocolError{CloseTooBig, fmt.Sprintf("inflated message over %d octets", limit)}
		case err == io.EOF:
			return out, nil
		case err != nil:
			return nil, inflateError(err)
		}
	}
}

func inflateError(err error) error { return dataError("compressed data: " + err.Error()) }

func (d *inflater) release() {
	d.src.Reset(nil)
	if cap(d.in) > keptBuffer {
		d.in = nil
	}
	inflaters.Put(d)
}
