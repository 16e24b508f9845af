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
	out []byte
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
	d.out = d.out[:0]
	if err := d.readAll(limit); err != nil {
		return nil, err
	}
	// A copy of its exact size costs less than the garbage of a buffer that grows.
	return Copy(d.out), nil
}

// readAll inflates all of d.src. A block that calls itself the last may end before the message does
// (RFC 7692 section 7.2.3.4); what follows it begins with an empty window.
func (d *inflater) readAll(limit int) error {
	for d.src.Len() > 0 {
		if err := d.r.(flate.Resetter).Reset(&d.src, nil); err != nil {
			return inflateError(err)
		}
		if err := d.readStream(limit); err != nil {
			return err
		}
	}
	return nil
}

// readStream appends one deflate stream to d.out.
func (d *inflater) readStream(limit int) error {
	for {
		if len(d.out) == cap(d.out) {
			size := min(max(2*len(d.out), 1<<10), limit+1)
			d.out = append(make([]byte, 0, size), d.out...)
		}
		n, err := d.r.Read(d.out[len(d.out):min(cap(d.out), limit+1)])
		d.out = d.out[:len(d.out)+n]
		switch {
		case len(d.out) > limit:
			return &ProtocolError{CloseTooBig, fmt.Sprintf("inflated message over %d bytes", limit)}
		case err == io.EOF:
			return nil
		case err != nil:
			return inflateError(err)
		}
	}
}

func inflateError(err error) error { return dataError("compressed data: " + err.Error()) }

func (d *inflater) release() {
	d.src.Reset(nil)
	if cap(d.in) > keptBuffer {
		d.in = nil
	}
	if cap(d.out) > keptBuffer+1 { // one byte over the limit shows that there are more
		d.out = nil
	}
	inflaters.Put(d)
}
