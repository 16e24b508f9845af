package bustest

import (
	"container/heap"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"boundary-app.org/realtime/bus"
)

// Faulty is a bus in memory whose network has faults: it delays and loses
// envelopes, replies, questions and answers, cuts nodes off and lets them return.
// It keeps the contract of package bus under all of them.
//
// From one node to another everything arrives in the order in which it was sent.
// What nodes want, and who joins and leaves, is not lost: it arrives later. The
// faults follow from the seed and from the order in which nodes send. Its delays and
// deadlines are best watched in a bubble of testing/synctest.
type Faulty struct {
	mu      sync.Mutex // all fields, and those of the nodes, are guarded by it
	random  *rand.Rand
	delay   time.Duration
	loss    float64
	nodes   []*faultyNode // the open ones, in the order in which they joined
	arrives map[[2]bus.NodeID]time.Time
	queue   packets
	sent    uint64
	stopped bool

	wake    chan struct{}
	running sync.WaitGroup
}

// GiveUpTime is how long a node may be cut off before the others count it as
// gone, and before it reports that it is not healthy.
const GiveUpTime = 5 * time.Second

// resendTime is how much later arrives what is lost and sent again.
const resendTime = 100 * time.Millisecond

// NewFaulty returns a bus without faults. It ends with the test.
func NewFaulty(t testing.TB, seed uint64) *Faulty {
	b := &Faulty{
		random: rand.New(rand.NewPCG(seed, seed)), arrives: map[[2]bus.NodeID]time.Time{}, wake: make(chan struct{}, 1),
	}
	b.running.Go(b.run)
	t.Cleanup(func() {
		b.mu.Lock()
		b.stopped = true
		b.mu.Unlock()
		b.notify()
		b.running.Wait()
	})
	return b
}

// Nodes returns the ids of the open nodes in the order in which they joined.
func (b *Faulty) Nodes() (ids []bus.NodeID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.nodes {
		ids = append(ids, n.id)
	}
	return ids
}

// SetDelay lets everything that is sent from now on take up to most on its way.
func (b *Faulty) SetDelay(most time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.delay = most
}

// SetLoss loses a part of what is sent from now on: 0 is nothing, 1 is all.
func (b *Faulty) SetLoss(part float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loss = part
}

// Cut loses everything that a node sends or is sent, until Heal. After GiveUpTime
// the node and the others give each other up.
func (b *Faulty) Cut(id bus.NodeID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.find(id)
	n.cuts++
	n.cut = true
	this := n.cuts
	b.push(&packet{due: time.Now().Add(GiveUpTime), run: func() { b.giveUp(n, this) }})
}

// Heal ends Cut. Nodes that have given each other up join again.
func (b *Faulty) Heal(id bus.NodeID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.find(id)
	n.cut, n.alone = false, false
	for _, other := range b.nodes {
		if other != n {
			b.send(n, other, true, other.meets(n, n.wanted(), nil))
			b.send(other, n, true, n.meets(other, other.wanted(), nil))
		}
	}
}

// Pause stops a node, as a process is stopped: what arrives waits until Resume.
func (b *Faulty) Pause(id bus.NodeID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.find(id).paused = true
}

// Resume ends Pause.
func (b *Faulty) Resume(id bus.NodeID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.find(id)
	n.paused = false
	for _, p := range n.held {
		b.push(p)
	}
	n.held = nil
}

// find returns an open node; without one the test is wrong. Called under mu.
func (b *Faulty) find(id bus.NodeID) *faultyNode {
	for _, n := range b.nodes {
		if n.id == id {
			return n
		}
	}
	panic("bustest: there is no node " + string(id))
}

// packet is one thing on its way to a node.
type packet struct {
	from, to *faultyNode // nil: of the bus itself
	due      time.Time
	number   uint64
	run      func() // at to; called without locks
}

// send puts a packet on its way. What is kept is late where it would be lost.
// Called under mu.
func (b *Faulty) send(from, to *faultyNode, kept bool, run func()) {
	lost := b.random.Float64() < b.loss
	due := time.Now()
	if b.delay > 0 {
		due = due.Add(time.Duration(b.random.Int64N(int64(b.delay))))
	}
	if from.cut || to.cut || lost && !kept {
		return
	}
	if lost {
		due = due.Add(resendTime)
	}
	line := [2]bus.NodeID{from.id, to.id}
	if last := b.arrives[line]; last.After(due) {
		due = last
	}
	b.arrives[line] = due
	b.sent++
	b.push(&packet{from: from, to: to, due: due, number: b.sent, run: run})
}

// push is called under mu.
func (b *Faulty) push(p *packet) {
	heap.Push(&b.queue, p)
	b.notify()
}

func (b *Faulty) notify() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// run delivers packets when they are due, until the bus is stopped.
func (b *Faulty) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		p, next, stopped := b.take(time.Now())
		switch {
		case stopped:
			return
		case p != nil:
			p.run()
			continue
		}
		timer.Reset(next)
		select {
		case <-timer.C:
		case <-b.wake:
		}
	}
}

// take returns the next packet that is due and can be received, or nil and how
// long it takes until there may be one.
func (b *Faulty) take(now time.Time) (p *packet, next time.Duration, stopped bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !b.stopped && len(b.queue) > 0 {
		if wait := b.queue[0].due.Sub(now); wait > 0 {
			return nil, wait, false
		}
		if p := heap.Pop(&b.queue).(*packet); p.to == nil || p.to.receives(p) {
			return p, 0, false
		}
	}
	return nil, time.Hour, b.stopped
}

// packets is a heap of packets: the first is due first.
type packets []*packet

func (q packets) Len() int      { return len(q) }
func (q packets) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q packets) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].number < q[j].number
	}
	return q[i].due.Before(q[j].due)
}
func (q *packets) Push(p any) { *q = append(*q, p.(*packet)) }
func (q *packets) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
