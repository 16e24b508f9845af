package strictjson

import (
	"hash/maphash"
	"math/bits"
)

// The seed and the keys are the process's own, so that names that collide cannot be
// chosen from outside.
var (
	seed = maphash.MakeSeed()
	keys = [2]uint64{maphash.String(seed, "mark"), maphash.String(seed, "serial")}
)

// minPlaces is the size of the smallest table. To renew one takes as long as there
// are open objects, so that it must not happen too often.
const minPlaces = 1024

// table is a hash table with open addressing for the names of objects that have
// many. Where an object ends its names stay, until there is no room. That does no
// harm: the table says only where in the list of names to look, and the list holds
// no names but those of objects that are open.
type table struct {
	tags    []uint8  // a power of two of them; 0 is a free place
	indices []uint32 // of names in the list, in the places that are not free
	used    int
	serial  uint32 // the last one
}

// newSerial returns a number that tells an object from those before, most of which
// have the same names; it is not zero.
func (t *table) newSerial() uint32 {
	t.serial = max(1, t.serial+1)
	return t.serial
}

// full reports whether half of the places are used, which is as many as may be.
func (t *table) full() bool { return 2*t.used >= len(t.tags) }

// renew empties the table and gives it eight times as many places as names it is to
// hold at first, but no fewer than it has.
func (t *table) renew(names int) {
	size := max(minPlaces, len(t.tags))
	for size < 8*names {
		size *= 2
	}
	t.used = 0
	if size == len(t.tags) {
		clear(t.tags)
		return
	}
	t.tags, t.indices = make([]uint8, size), make([]uint32, size)
}

// start returns where the search for a name of an object begins, and its tag. The
// mark of a short name, which is all of it, is hashed as Go hashes short keys where
// the processor has no instructions for it: by a product of which both halves count.
func (t *table) start(text []byte, mark uint64, serial uint32) (at int, tag uint8) {
	var hash uint64
	if len(text) <= shortSize {
		high, low := bits.Mul64(mark^keys[0], keys[1]^uint64(serial))
		hash = high ^ low
	} else {
		hash = maphash.Bytes(seed, text) ^ uint64(serial)*mixer
	}
	return int(hash) & (len(t.tags) - 1), uint8(hash>>56) | 1
}

func (t *table) following(at int) int { return (at + 1) & (len(t.tags) - 1) }

func (t *table) set(at int, tag uint8, index int) {
	t.tags[at], t.indices[at] = tag, uint32(index)
	t.used++
}

// reset returns the table for the next text, with room; a very large one is
// dropped.
func (t *table) reset() table {
	switch {
	case len(t.tags) > 8*keptNames:
		return table{}
	case 4*t.used > len(t.tags):
		t.renew(0)
	}
	return *t
}
