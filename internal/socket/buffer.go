package socket

import "sync"

// recycledSize is the least capacity of a buffer that is worth recycling, in bytes.
const recycledSize = 4 << 10

// buffers has the memory of large messages that are no longer used: *[]byte.
var buffers sync.Pool

// Recycle gives back the Data of an event that is Owned, or a copy that [Copy] made, for
// later messages. Nothing may refer to it any more. It need not be called.
func Recycle(data []byte) {
	if cap(data) >= recycledSize {
		data = data[:0]
		buffers.Put(&data)
	}
}

// Copy returns a copy that may be recycled.
func Copy(data []byte) []byte { return append(newBuffer(len(data)), data...) }

// newBuffer returns an empty buffer with a capacity of size at least, and of an eighth
// more at most.
func newBuffer(size int) []byte {
	if size >= recycledSize {
		if b, ok := buffers.Get().(*[]byte); ok && cap(*b) >= size && cap(*b) <= size+size/8 {
			return *b
		}
	}
	return make([]byte, 0, size)
}
