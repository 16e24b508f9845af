package strictjson

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// keptNames is how many names' memory is kept for the next Reader: enough for a
// message of 64 KiB that holds nothing else.
const keptNames = 16 << 10

const minSlots = 256

// The keys are the process's own, so that names that collide cannot be chosen from
// outside.
var (
	seed = maphash.MakeSeed()
	keys = [2]uint64{maphash.String(seed, "name"), maphash.String(seed, "object")}
)

// name is where a name of an open object stands: in the text, or, with an end below
// zero, in Reader.unescaped.
type name struct {
	start, end int
	hash       uint64 // equal for equal names
	slot       uint32 // where in Reader.slots its index is
}

func (r *Reader) nameAt(n name) []byte {
	if n.end < 0 {
		return r.unescaped[n.start:^n.end:^n.end]
	}
	return r.data[n.start:n.end:n.end]
}

// addEscapedName is addName for the name between start and end, which has escapes.
func (r *Reader) addEscapedName(start, end int) {
	n := name{start: len(r.unescaped)}
	r.unescaped = appendUnescaped(r.unescaped, r.data[start:end])
	n.end, n.hash = ^len(r.unescaped), hashName(r.unescaped[n.start:])
	r.addName(n)
}

// addName adds a name to the innermost object, and notes if it has that name.
func (r *Reader) addName(n name) {
	first, index := r.objects[len(r.objects)-1], len(r.names)
	r.names = append(r.names, n)
	if index > first {
		r.insert(first, index)
	}
}

// insert puts the index of a name into the table, or notes that the object whose
// names begin at first has that name already.
//
// The table has open addressing, and nothing is ever removed from it. A slot is in
// use only if it holds the index of an earlier name whose field slot agrees. Any
// other content is left over from objects that have ended, or from another text.
// Names end in the reverse order of their insertion. So no slot that insert passed
// over on its way to a free one becomes free before the name in the latter ends.
func (r *Reader) insert(first, index int) {
	switch {
	case len(r.slots) < 2*len(r.names):
		r.growSlots(index)
	case index == first+1:
		r.insert(first, first) // the only name of an object needs no slot
	}
	names, slots := r.names, r.slots
	n := &names[index]
	high, low := bits.Mul64(n.hash^keys[0], keys[1]^uint64(first)) // other objects may have the same name
	for slot := high ^ low; ; slot++ {
		slot &= uint64(len(slots) - 1)
		other := int(slots[slot])
		if other >= index || names[other].slot != uint32(slot) {
			slots[slot], n.slot = uint32(index), uint32(slot)
			return
		}
		if other >= first && names[other].hash == n.hash && r.repeats(n, &names[other]) {
			return
		}
	}
}

// repeats reports whether two names with the same hash are equal, and notes it.
func (r *Reader) repeats(n, other *name) bool {
	text := r.nameAt(*n)
	if !bytes.Equal(text, r.nameAt(*other)) {
		return false
	}
	if r.repeated == nil {
		r.repeated = &RepeatedError{Name: string(text)}
	}
	return true
}

// growSlots makes a larger table and inserts the names before end.
func (r *Reader) growSlots(end int) {
	size := minSlots
	for size < 4*len(r.names) {
		size *= 2
	}
	r.slots = make([]uint32, size)
	for i, first := range r.objects {
		stop := end
		if i+1 < len(r.objects) {
			stop = r.objects[i+1]
		}
		for index := first; index < stop; index++ {
			r.insert(first, index)
		}
	}
}

// hashName returns the hash of a name; a name of up to 8 bytes is its own.
func hashName(text []byte) (hash uint64) {
	if len(text) > 8 {
		return maphash.Bytes(seed, text)
	}
	for i, c := range text {
		hash |= uint64(c) << (8 * i)
	}
	return hash
}

// shortName returns how many of the eight bytes at i are plain, and the hash of the
// name that they are if the next one is a quote.
func shortName(data []byte, i int) (size int, hash uint64) {
	if i+8 > len(data) {
		return 0, 0
	}
	x := binary.LittleEndian.Uint64(data[i:])
	found := notPlain(x)
	return bits.TrailingZeros64(found) / 8, x & (found&-found>>7 - 1)
}
