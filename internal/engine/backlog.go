package engine

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// backlog is what waits for one connection's socket, in the order it is to be
// written. It exists only while something waits. It does no I/O and reads no clock;
// the connection's loop owns it.
type backlog struct {
	chunks []chunk // the first has data, of which off bytes are written
	off    int
	popped int     // chunks that have left the front
	dead   int     // chunks whose data was dropped, and that were left in place
	held   []chunk // what is to be written after release
	since  tick    // when it began

	// Of a connection that lags: where the one waiting message of each latest-only
	// topic is, counted with the chunks that have left. nil: not known yet.
	latest map[*group]int

	size  int  // bytes, and chunkCost for each chunk, taken ones included
	taken int  // the part of size that a writer off the loop has
	total *int // the size of all backlogs of the shard
}

// newBacklog returns an empty backlog, whose size is added to total.
func newBacklog(now tick, total *int) *backlog { return &backlog{since: now, total: total} }

func (b *backlog) resize(by int) {
	b.size += by
	*b.total += by
}

// push appends a chunk to what is written.
func (b *backlog) push(ch chunk) {
	b.chunks = append(b.chunks, ch)
	b.resize(ch.cost())
}

// hold appends a chunk to what is written after release.
func (b *backlog) hold(ch chunk) {
	b.held = append(b.held, ch)
	b.resize(ch.cost())
}

// release appends what is held to what is written.
func (b *backlog) release() {
	b.chunks = append(b.chunks, b.held...)
	b.held = nil
}

// dropHeld drops what is held, and returns the number of its chunks.
func (b *backlog) dropHeld() (dropped int) {
	dropped = len(b.held)
	for _, ch := range b.held {
		b.resize(-ch.cost())
	}
	b.held = nil
	return dropped
}

// clear drops everything.
func (b *backlog) clear() {
	b.resize(-b.size)
	*b = backlog{since: b.since, total: b.total}
}

func (b *backlog) empty() bool { return len(b.chunks) == 0 && len(b.held) == 0 && b.taken == 0 }

// unwritten returns the bytes that are to be written, without what is held.
func (b *backlog) unwritten() (n int) {
	for _, ch := range b.chunks {
		n += len(ch.data)
	}
	return n + b.taken - b.off
}

// first returns what is left of the first chunk.
func (b *backlog) first() []byte { return b.chunks[0].data[b.off:] }

// appendTo appends all chunks to a buffer.
func (b *backlog) appendTo(buf []byte) []byte {
	buf = append(buf, b.first()...)
	for _, ch := range b.chunks[1:] {
		buf = append(buf, ch.data...)
	}
	return buf
}

// vector returns the first chunks, limit at most.
func (b *backlog) vector(limit int) [][]byte {
	vector := make([][]byte, 0, min(len(b.chunks), limit))
	vector = append(vector, b.first())
	for _, ch := range b.chunks[1:min(len(b.chunks), limit)] {
		if ch.data != nil {
			vector = append(vector, ch.data)
		}
	}
	return vector
}

// wrote drops n bytes from the front: they are written.
func (b *backlog) wrote(n int) {
	b.resize(-n)
	for len(b.chunks) > 0 && b.off+n >= len(b.chunks[0].data) {
		n -= len(b.chunks[0].data) - b.off
		if b.chunks[0].data != nil {
			b.resize(-chunkCost)
		}
		b.pop()
	}
	b.off += n
}

// pop drops the first chunk.
func (b *backlog) pop() {
	if b.chunks[0].data == nil {
		b.dead--
	}
	b.chunks[0] = chunk{}
	b.chunks = b.chunks[1:]
	b.popped++
	b.off = 0
}

// take takes the first chunks, of about limit bytes, for a writer off the loop. They
// count for the size until they are confirmed.
func (b *backlog) take(limit int) (frames [][]byte) {
	for len(b.chunks) > 0 {
		if ch := b.chunks[0]; ch.data != nil {
			if len(frames) > 0 && b.taken+len(ch.data) > limit {
				break
			}
			b.taken += ch.cost()
			frames = append(frames, ch.data)
		}
		b.pop() // also what is dead, behind the last that is taken
	}
	return frames
}

// confirm notes that what was taken is written.
func (b *backlog) confirm() {
	b.resize(-b.taken)
	b.taken = 0
}

// excess returns by how many bytes the backlog is over a limit. What a writer has
// taken does not count.
func (b *backlog) excess(limit int) int { return b.size - b.taken - limit }

const (
	// cheap is how many chunks may be searched for each message.
	cheap = 256
	// spare is how many more topics than chunks a backlog may know before those
	// whose message has left are forgotten.
	spare = 64
)

// trim makes a full backlog smaller as far as the policies of the topics in it
// allow, and returns how many messages it dropped. It is not enough where the limit
// is still passed, or where so little was dropped that a backlog of many chunks
// would soon be searched again, to the harm of the neighbours.
func (b *backlog) trim(limit int) (superseded, oldest int, enough bool) {
	before, many := b.size, len(b.chunks)+len(b.held) > cheap
	superseded = b.keepLatest()
	oldest = b.dropOldest(b.excess(limit) + limit/8)
	return superseded, oldest, b.excess(limit) <= 0 && (!many || before-b.size >= limit/8)
}

// replace appends the newest message of a latest-only topic and drops those of the
// topic that wait. From the first call on, all messages of such topics come by it.
func (b *backlog) replace(ch chunk) (dropped int) {
	if b.latest == nil {
		b.latest = map[*group]int{}
		dropped = b.keepLatest()
	}
	if len(b.latest) > 2*len(b.chunks)+spare { // most of it has been written
		b.indexLatest()
	}
	if at, waits := b.latest[ch.of]; waits && b.dropChunk(at-b.popped) {
		dropped++
	}
	b.latest[ch.of] = b.popped + len(b.chunks)
	b.push(ch)
	return dropped
}

// dropChunk takes the message out of a chunk, unless that has begun to be written.
// The chunk stays, so that no other has to be moved, until half of all are dead.
func (b *backlog) dropChunk(i int) (done bool) {
	if i < 0 || i == 0 && b.off > 0 {
		return false
	}
	b.resize(-b.chunks[i].cost())
	b.chunks[i].data = nil
	b.dead++
	for len(b.chunks) > 0 && b.chunks[0].data == nil {
		b.pop()
	}
	if b.dead > len(b.chunks)/2 {
		b.compact()
		b.indexLatest()
	}
	return true
}

// compact removes the dead chunks.
func (b *backlog) compact() {
	b.chunks = slices.DeleteFunc(b.chunks, func(ch chunk) bool { return ch.data == nil })
	b.dead = 0
}

// keepLatest drops all but the last message of each topic of which only that counts.
func (b *backlog) keepLatest() (dropped int) {
	b.rewrite(func(ch chunk, newest bool) []byte {
		if ch.of == nil || ch.of.slow != LatestOnly {
			return ch.data
		}
		keep := len(ch.data)
		if newest {
			keep = lastFrame(ch.data)
		}
		if keep == 0 {
			return ch.data
		}
		dropped += countFrames(ch.data[:keep])
		return bytes.Clone(ch.data[keep:]) // the chunk need not be kept for its last frame
	})
	return dropped
}

// dropOldest drops the oldest messages of topics that allow it, but not the newest
// of any, until so many bytes are dropped.
func (b *backlog) dropOldest(excess int) (dropped int) {
	b.rewrite(func(ch chunk, newest bool) []byte {
		if ch.of == nil || ch.of.slow != DropOldest {
			return ch.data
		}
		end := len(ch.data)
		if newest {
			end = lastFrame(ch.data)
		}
		at := 0
		for at < end && excess > 0 {
			n := frameLen(ch.data[at:])
			at += n
			excess -= n
			dropped++
		}
		return ch.data[at:]
	})
	return dropped
}

// dropAll drops all messages that have not begun to be written.
func (b *backlog) dropAll() (dropped int) {
	b.rewrite(func(ch chunk, _ bool) []byte {
		if ch.of == handshake {
			return ch.data
		}
		dropped += countFrames(ch.data)
		return nil
	})
	return dropped
}

// rewrite replaces the data of each chunk that has not begun to be written, and
// removes those without any. Newest says that no later chunk is of the same group.
func (b *backlog) rewrite(data func(ch chunk, newest bool) []byte) {
	b.compact()
	begun := b.split()
	last := map[*group]int{}
	for i, ch := range b.chunks[begun:] {
		last[ch.of] = i
	}
	n := len(b.chunks) - begun
	for i, ch := range b.held {
		last[ch.of] = n + i
	}
	replace := func(chunks []chunk, from int) []chunk {
		kept := chunks[:0]
		for i, ch := range chunks {
			before := ch.cost()
			if ch.data = data(ch, last[ch.of] == from+i); len(ch.data) == 0 {
				b.resize(-before)
				continue
			}
			b.resize(ch.cost() - before)
			kept = append(kept, ch)
		}
		clear(chunks[len(kept):])
		return kept
	}
	b.chunks = b.chunks[:begun+len(replace(b.chunks[begun:], 0))]
	b.held = replace(b.held, n)
	b.indexLatest()
}

// split parts the frame that is partly written from those behind it, and
// returns how many chunks have begun: they have to be written to their end.
func (b *backlog) split() (begun int) {
	if b.off == 0 {
		return 0
	}
	first := b.chunks[0]
	if first.of == handshake {
		return 1
	}
	end := frameEnd(first.data, b.off)
	if end == b.off { // it stands between two frames
		b.chunks[0].data, b.off = first.data[end:], 0
		return 0
	}
	b.chunks[0] = chunk{data: first.data[:end:end]}
	if end < len(first.data) {
		b.chunks = slices.Insert(b.chunks, 1, chunk{first.data[end:], first.of})
		b.resize(chunkCost)
	}
	return 1
}

// indexLatest notes where the messages of latest-only topics are, where that is
// known at all.
func (b *backlog) indexLatest() {
	if b.latest == nil {
		return
	}
	clear(b.latest)
	for i, ch := range b.chunks {
		if ch.of != nil && ch.of.slow == LatestOnly {
			b.latest[ch.of] = b.popped + i
		}
	}
}

// check returns an error for each contradiction.
func (b *backlog) check() error {
	var problems []error
	expect := func(ok bool, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	size, dead := b.taken-b.off, 0
	for _, ch := range slices.Concat(b.chunks, b.held) {
		if ch.data == nil {
			dead++
		} else {
			size += ch.cost()
		}
	}
	expect(b.size == size, "it counts %d bytes and has %d", b.size, size)
	expect(dead == b.dead && (len(b.chunks) == 0 || b.chunks[0].data != nil), "it has %d dead chunks and counts %d, or begins with one", dead, b.dead)
	for g, at := range b.latest {
		expect(at < b.popped || at-b.popped < len(b.chunks) && b.chunks[at-b.popped].of == g, "%s does not wait where it should", g)
	}
	expect(b.off == 0 || len(b.chunks) > 0 && b.off < len(b.chunks[0].data), "it is written past its end")
	return errors.Join(problems...)
}
