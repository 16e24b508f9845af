package engine

import "math"

// queue is the lists with pending fanouts, in the order they came.
type queue []*list

func (q *queue) push(l *list) { *q = append(*q, l) }

func (q *queue) pop() *list {
	old := *q
	l := old[0]
	copy(old, old[1:])
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return l
}

// first returns the seq of the first list's first fanout, which is the oldest in a
// queue from which none was taken and put back.
func (q queue) first() uint32 {
	if len(q) == 0 {
		return math.MaxUint32
	}
	return q[0].pending.seq
}

// oldest returns the seq of the oldest fanout.
func (q queue) oldest() uint32 {
	seq := uint32(math.MaxUint32)
	for _, l := range q {
		seq = min(seq, l.pending.seq)
	}
	return seq
}
