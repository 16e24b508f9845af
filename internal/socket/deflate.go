package socket

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	// deflateLeast is the size from which compression is tried, in octets. Below, the header of a
	// deflate block takes most of the gain.
	deflateLeast = 64
	// keptBuffer is the largest buffer that goes back to a pool, so that one large message does not
	// hold its memory for ever.
	keptBuffer = 64 << 10
)

// flushTail ends every flushed deflate stream. It is left out of a message (RFC 7692 section 7.2.1).
const flushTail = "\x00\x00\xff\xff"

var packBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// AppendDeflatedFrame appends a data frame as a server sends it, compressed on its own (no context
// takeover), so that one frame serves all receivers that negotiated deflate. A payload under 64
// octets, or one that does not get smaller, goes plain: RFC 7692 section 6 leaves that open for
// every message.
func AppendDeflatedFrame(dst []byte, op Opcode, payload []byte) []byte {
	buf := packBuffers.Get().(*bytes.Buffer)
	defer release(buf)
	if packed, ok := deflate(buf, payload); ok {
		return append(AppendHeader(dst, op, len(packed), true), packed...)
	}
	return AppendFrame(dst, op, payload)
}

// AppendMaskedDeflatedFrame is [AppendDeflatedFrame] for a client, see [AppendMaskedFrame].
func AppendMaskedDeflatedFrame(dst []byte, op Opcode, payload []byte, mask [4]byte) []byte {
	buf := packBuffers.Get().(*bytes.Buffer)
	defer release(buf)
	if packed, ok := deflate(buf, payload); ok {
		return appendMasked(dst, bitFIN|bitRSV1|byte(op), packed, mask)
	}
	return AppendMaskedFrame(dst, op, payload, mask)
}

// deflate returns payload compressed, in buf, or false if that is not worth it. It uses the encoder
// without state: a flate.Writer holds 0.8 MB, compresses messages as small as ours no better, and
// those under 128 octets not at all.
func deflate(buf *bytes.Buffer, payload []byte) (packed []byte, ok bool) {
	if len(payload) < deflateLeast {
		return nil, false
	}
	if err := flate.StatelessDeflate(buf, payload, false, nil); err != nil {
		return nil, false // cannot be: a bytes.Buffer takes all
	}
	packed, ok = bytes.CutSuffix(buf.Bytes(), []byte(flushTail))
	return packed, ok && len(packed) < len(payload)
}

func release(buf *bytes.Buffer) {
	if buf.Cap() > keptBuffer {
		return
	}
	buf.Reset()
	packBuffers.Put(buf)
}
