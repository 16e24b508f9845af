package strictjson

import (
	"bytes"
	"encoding/binary"
)

// few names of an object are compared one by one, more through the table.
const few = 16

// keptNames is how many names' memory is kept for the next Reader: enough for a
// message of 64 KiB that holds nothing else.
const keptNames = 16 << 10

// container is an object or array that is open.
type container struct {
	first  int    // the index of its first name in Reader.names; inArray
	serial uint32 // of an object with names in the table; else 0
	marks  uint64 // a bit for each mark of a name
}

// inArray stands for an array, which has no names.
const inArray = -1

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
	object := &r.open[len(r.open)-1]
	count := len(r.names) - object.first
	r.names = append(r.names, at)
	bit := uint64(1) << (at.mark * mixer >> 58)
	switch {
	case count >= few:
		if !r.addToTable(object) {
			r.repeat(at)
		}
	case object.marks&bit == 0:
		object.marks |= bit
	case r.among(r.names[object.first:len(r.names)-1], at):
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
func (r *Reader) addToTable(object *container) bool {
	last := len(r.names) - 1
	if object.serial == 0 {
		object.serial = r.table.newSerial()
		for i := object.first; i < last; i++ {
			r.insert(object, i)
		}
	}
	return r.insert(object, last)
}

// insert puts the name with an index into the table, unless one of its object that
// stands before it is equal.
func (r *Reader) insert(object *container, index int) bool {
	if r.table.full() {
		r.rebuild(index)
	}
	text := r.nameAt(r.names[index])
	at, tag := r.table.start(text, object.serial)
	for ; r.table.tags[at] != 0; at = r.table.following(at) {
		if r.table.tags[at] != tag {
			continue
		}
		other := int(r.table.indices[at])
		if other >= object.first && other < index && bytes.Equal(r.nameAt(r.names[other]), text) {
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
	for i := range r.open {
		if r.open[i].serial != 0 {
			live = end - r.open[i].first
			break
		}
	}
	r.table.renew(live)
	for i := range r.open {
		object := &r.open[i]
		if object.serial == 0 {
			continue
		}
		for index := object.first; index < min(end, r.endOf(i)); index++ {
			r.insert(object, index)
		}
	}
}

// endOf returns the index behind the last name of an open object.
func (r *Reader) endOf(level int) int {
	for _, inner := range r.open[level+1:] {
		if inner.first != inArray {
			return inner.first
		}
	}
	return len(r.names)
}

const mixer = 0x9E3779B97F4A7C15 // odd; its bits are spread

// mark packs what tells most names apart of the name between start and end: all
// of a short one.
func mark(data []byte, start, end int) uint64 {
	size := end - start
	if size > 7 {
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
