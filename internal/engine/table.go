package engine

// hashed is what a table can hold.
type hashed interface {
	comparable
	hash() uint32
}

// table is a set of pointers found by hash: open addressing with linear probing,
// at most three quarters full. It keeps 8 bytes an element where a Go map of
// names would keep some 50, which counts with a group and a connection for each
// of a hundred thousand clients. Not safe for concurrent use.
type table[T hashed] struct {
	slots []T // the zero T marks a free slot; the length is a power of two
	n     int
}

// find returns the element with the hash for which is returns true, or the zero T.
func (t *table[T]) find(hash uint32, is func(T) bool) (found T) {
	var free T
	if t.n == 0 {
		return free
	}
	for i := t.home(hash); t.slots[i] != free; i = t.after(i) {
		if e := t.slots[i]; e.hash() == hash && is(e) {
			return e
		}
	}
	return free
}

// add adds an element that is not in the table.
func (t *table[T]) add(e T) {
	if (t.n+1)*4 > len(t.slots)*3 {
		t.resize(max(8, 2*len(t.slots)))
	}
	t.put(e)
	t.n++
}

func (t *table[T]) put(e T) {
	var free T
	i := t.home(e.hash())
	for t.slots[i] != free {
		i = t.after(i)
	}
	t.slots[i] = e
}

// remove removes an element, if it is in the table, and moves up those that had
// to go past it, so that a probe never meets a gap.
func (t *table[T]) remove(e T) {
	var free T
	if t.n == 0 {
		return
	}
	i := t.home(e.hash())
	for t.slots[i] != e {
		if t.slots[i] == free {
			return
		}
		i = t.after(i)
	}
	t.n--
	for next := t.after(i); t.slots[next] != free; next = t.after(next) {
		if home := t.home(t.slots[next].hash()); t.distance(home, next) >= t.distance(i, next) {
			t.slots[i] = t.slots[next]
			i = next
		}
	}
	t.slots[i] = free
	if len(t.slots) > 8 && t.n*8 < len(t.slots) {
		t.resize(len(t.slots) / 2)
	}
}

// all calls yield with every element.
func (t *table[T]) all(yield func(T) bool) {
	var free T
	for _, e := range t.slots {
		if e != free && !yield(e) {
			return
		}
	}
}

func (t *table[T]) resize(size int) {
	var free T
	old := t.slots
	t.slots = make([]T, size)
	for _, e := range old {
		if e != free {
			t.put(e)
		}
	}
}

func (t *table[T]) home(hash uint32) int      { return int(hash) & (len(t.slots) - 1) }
func (t *table[T]) after(i int) int           { return (i + 1) & (len(t.slots) - 1) }
func (t *table[T]) distance(from, to int) int { return (to - from) & (len(t.slots) - 1) }
