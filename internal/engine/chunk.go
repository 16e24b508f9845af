package engine

import "boundary-app.org/realtime/internal/socket"

// chunkCost is what a chunk in a backlog costs besides its bytes.
const chunkCost = 32

// chunk is one or more whole frames on their way to one connection. The bytes
// are shared with other connections and never changed.
type chunk struct {
	data []byte
	of   *group // that it was sent to, where it was sent to a group
}

// handshake marks the chunk that is no frames, but the answer to the handshake.
var handshake = new(group)

func (c chunk) cost() int { return len(c.data) + chunkCost }

// frameEnd returns where the frame that holds the byte before at ends.
func frameEnd(chunk []byte, at int) (end int) {
	for end < at {
		end += frameLen(chunk[end:])
	}
	return end
}

// lastFrame returns where the last frame of a chunk begins.
func lastFrame(chunk []byte) (at int) {
	for {
		next := at + frameLen(chunk[at:])
		if next >= len(chunk) {
			return at
		}
		at = next
	}
}

func countFrames(chunk []byte) (n int) {
	for len(chunk) > 0 {
		chunk = chunk[frameLen(chunk):]
		n++
	}
	return n
}

// frameLen returns the length of the first frame of a chunk of whole frames.
func frameLen(chunk []byte) int {
	header, payload, ok := socket.FrameLen(chunk)
	if !ok {
		return len(chunk)
	}
	return min(header+payload, len(chunk))
}
