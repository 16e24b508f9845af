package socket

import (
	"bytes"
	"testing"
)

// A buffer is as large as asked for and not much larger, whatever was recycled; what
// uses one that was recycled does not touch others.
func TestRecycledBuffers(t *testing.T) {
	for _, recycled := range []int{0, 100, recycledSize, 8 << 10, 64 << 10, 1 << 20} {
		for _, size := range []int{0, 100, recycledSize, 9 << 10, 64 << 10} {
			Recycle(make([]byte, recycled))
			b := newBuffer(size)
			if len(b) != 0 || cap(b) < size || size > 0 && cap(b) > size+size/8 {
				t.Errorf("asked for %d bytes with %d recycled: %d of %d", size, recycled, len(b), cap(b))
			}
		}
	}
	one, two := Copy(bytes.Repeat([]byte("1"), 8<<10)), Copy(bytes.Repeat([]byte("2"), 8<<10))
	Recycle(one)
	three := Copy(bytes.Repeat([]byte("3"), 8<<10))
	if bytes.ContainsAny(two, "13") || bytes.ContainsAny(three, "12") {
		t.Error("buffers share memory")
	}
}
