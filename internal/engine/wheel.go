package engine

const (
	buckets    = 2048 // about 41 s; what is due later goes round again
	bucketKept = 64   // entries that a bucket keeps room for
)

// wheel knows when to look at which connection. An entry says only when: what
// is due is derived from the connection, so that an entry that has become
// meaningless costs one look.
type wheel struct {
	buckets [buckets][]entry
	entries int
	turned  tick // all buckets before it are empty
	first   tick // the first tick with an entry, where known
	known   bool
	alarm   tick // what the timer is set to, where armed
	armed   bool
}

type entry struct {
	slot       int32
	generation int32
	at         tick
}

func newWheel() wheel { return wheel{} }

func (w *wheel) add(e entry, now tick) {
	if w.entries == 0 {
		w.turned = now // it may have stood still for longer than ticks can be compared
	}
	if e.at.before(w.turned) {
		e.at = w.turned
	}
	w.buckets[e.at%buckets] = append(w.buckets[e.at%buckets], e)
	w.entries++
	if w.entries == 1 || w.known && e.at.before(w.first) {
		w.first, w.known = e.at, true
	}
}

// next returns the first tick with an entry, looking one round ahead.
func (w *wheel) next() (at tick, ok bool) {
	if w.entries == 0 {
		return 0, false
	}
	if w.known {
		return w.first, true
	}
	for ahead := range tick(buckets) {
		at = w.turned + ahead
		if len(w.buckets[at%buckets]) > 0 {
			w.first, w.known = at, true
			return at, true
		}
	}
	return 0, false
}

// turn calls due for the entries up to now and forgets them.
func (w *wheel) turn(now tick, due func(entry)) {
	if !now.before(w.turned + buckets) {
		w.turned = now - buckets + 1 // after a long pause: one round sees all
	}
	for ; !now.before(w.turned); w.turned++ {
		bucket := &w.buckets[w.turned%buckets]
		entries := *bucket
		*bucket = nil
		w.entries -= len(entries)
		for _, e := range entries {
			if !now.before(e.at) {
				due(e)
			} else {
				w.entries++
				*bucket = append(*bucket, e)
			}
		}
		if *bucket == nil && cap(entries) <= bucketKept {
			*bucket = entries[:0]
		}
	}
	w.known = false
}
