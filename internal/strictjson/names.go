package strictjson

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// few names of an object are compared one by one, more through the table.
const few = 32

// keptNames is how many names' memory is kept for the next Reader: enough for a
// message of 64 KiB that holds nothing else.
const keptNames = 16 << 10

// object is one that is open.
type object struct {
	first  int    // the index of its first name in Reader.names
	serial uint32 // 0: it has no names in the table
	marks  uint64 // a bit for each mark of a name
}

// name is where a name stands: in the text, or, with an end below zero, in
// Reader.unescaped.
type name struct {
	start, end int
	mark       uint64 // equal for names that are equal, and for few others
}

func (r *Reader) nameAt(at name) []byte {
	if at.end < 0 {
		return r.unescaped[at.start:^at.end:^at.end]
	}
	return r.data[at.start:at.end:at.end]
}

// unescape is take for the name between start and end, which has escapes.
func (r *Reader) unescape(start, end int) {
	at := name{start: len(r.unescaped)}
	r.unescaped = appendUnescaped(r.unescaped, r.data[start:end])
	at.mark = mark(r.unescaped, at.start, len(r.unescaped))
	at.end = ^len(r.unescaped)
	r.take(at)
}

// take adds a name to the innermost object, and notes when it was there.
func (r *Reader) take(at name) {
	o := &r.objects[len(r.objects)-1]
	count := len(r.names) - o.first
	r.names = append(r.names, at)
	bit := uint64(1) << (at.mark * mixer >> 58)
	switch {
	case count >= few:
		if !r.addToTable(o) {
			r.repeat(at)
		}
	case o.marks&bit == 0:
		o.marks |= bit
	case r.among(r.names[o.first:len(r.names)-1], at):
		r.repeat(at)
	}
}

func (r *Reader) among(others []name, at name) bool {
	for _, other := range others {
		if other.mark == at.mark && bytes.Equal(r.nameAt(other), r.nameAt(at)) {
			return true
		}
	}
	return false
}

func (r *Reader) repeat(at name) {
	if r.repeated == nil {
		r.repeated = &RepeatedError{Name: string(r.nameAt(at))}
	}
}

// addToTable adds the last of the names to the table, and all of its object when
// it is the first of many. It returns false where the object has that name already.
func (r *Reader) addToTable(o *object) bool {
	last := len(r.names) - 1
	if o.serial == 0 {
		o.serial = r.table.newSerial()
		for i := o.first; i < last; i++ {
			r.insert(o, i)
		}
	}
	return r.insert(o, last)
}

// insert puts the name with an index into the table, unless one of its object that
// stands before it is equal.
func (r *Reader) insert(o *object, index int) bool {
	if r.table.full() {
		r.rebuild(index)
	}
	text := r.nameAt(r.names[index])
	at, tag := r.table.start(text, r.names[index].mark, o.serial)
	for ; r.table.tags[at] != 0; at = r.table.following(at) {
		if r.table.tags[at] != tag {
			continue
		}
		other := int(r.table.indices[at])
		if other >= o.first && other < index && bytes.Equal(r.nameAt(r.names[other]), text) {
			return false
		}
	}
	r.table.set(at, tag, index)
	return true
}

// rebuild makes a table of the names of open objects alone that were in it, which
// are those before end.
func (r *Reader) rebuild(end int) {
	live := 0
	for _, o := range r.objects {
		if o.serial != 0 {
			live = end - o.first
			break
		}
	}
	r.table.renew(live)
	for i := range r.objects {
		o := &r.objects[i]
		if o.serial == 0 {
			continue
		}
		behind := end
		if i+1 < len(r.objects) {
			behind = min(end, r.objects[i+1].first)
		}
		for index := o.first; index < behind; index++ {
			r.insert(o, index)
		}
	}
}

const mixer = 0x9E3779B97F4A7C15 // odd; its bits are spread

// shortSize is the length of the longest name whose mark is all of it.
const shortSize = 7

// shortName reads a plain name of up to 7 bytes that begins at start; it returns
// where the name ends, and its mark, or zero.
func shortName(data []byte, start int) (end int, packed uint64) {
	if start+8 > len(data) {
		return 0, 0
	}
	x := binary.LittleEndian.Uint64(data[start:])
	size := bits.TrailingZeros64(notPlain(x)) / 8
	if size == 8 || data[start+size] != '"' {
		return 0, 0
	}
	return start + size, x&(1<<(8*size)-1) | uint64(size)<<56
}

// mark packs what tells most names apart of the name between start and end: all
// of a short one.
func mark(data []byte, start, end int) uint64 {
	size := end - start
	if size > shortSize {
		head, tail := binary.LittleEndian.Uint64(data[start:]), binary.LittleEndian.Uint64(data[end-8:])
		return head*mixer ^ tail ^ uint64(size)<<56
	}
	if start+8 <= len(data) {
		return binary.LittleEndian.Uint64(data[start:])&(1<<(8*size)-1) | uint64(size)<<56
	}
	packed := uint64(size) << 56
	for i := range size {
		packed |= uint64(data[start+i]) << (8 * i)
	}
	return packed
}
