package bustest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"boundary-app.org/realtime/bus"
)

type faultyNode struct {
	bus   *Faulty
	id    bus.NodeID
	local bus.Local

	closing sync.RWMutex // held for reading while local is called
	closed  bool         // guarded by closing

	// guarded by bus.mu
	wants  map[bus.Address]int
	peers  map[bus.NodeID]*peer // the other members
	calls  map[*call]bool       // those that wait
	cut    bool
	cuts   int  // how often it was cut off
	alone  bool // it has given the others up
	paused bool
	held   []*packet // what has arrived while it was paused
}

// peer is what a node knows of another member.
type peer struct {
	wants   map[bus.Address]bool
	suspect bool // it has missed a deadline and not been heard of since
}

// Join waits until all other nodes have been heard of, for ReplyTime at most.
func (b *Faulty) Join(ctx context.Context, id bus.NodeID, local bus.Local) (bus.Node, error) {
	n := &faultyNode{bus: b, id: id, local: local, wants: map[bus.Address]int{}, peers: map[bus.NodeID]*peer{}, calls: map[*call]bool{}}
	b.mu.Lock()
	c := n.newCall()
	for _, other := range b.nodes {
		c.expect(other.id, true)
		b.send(n, other, true, other.meets(n, n.wanted(), func() {
			b.send(other, n, true, n.meets(other, other.wanted(), func() { c.hear(other.id) }))
		}))
	}
	b.nodes = append(b.nodes, n)
	b.mu.Unlock()
	_, err := n.wait(ctx, c, bus.ReplyTime)
	return n, err
}

// wanted returns what the node wants. Called under bus.mu.
func (n *faultyNode) wanted() map[bus.Address]bool {
	wanted := map[bus.Address]bool{}
	for a := range n.wants {
		wanted[a] = true
	}
	return wanted
}

// meets returns what a node does when it hears which addresses another one wants,
// which it may not have known. Then is called under bus.mu.
func (n *faultyNode) meets(other *faultyNode, wants map[bus.Address]bool, then func()) func() {
	return func() {
		n.bus.mu.Lock()
		_, known := n.peers[other.id]
		n.peers[other.id] = &peer{wants: wants}
		n.bus.mu.Unlock()
		if !known {
			n.membersChanged([]bus.NodeID{other.id}, nil)
		}
		n.bus.mu.Lock()
		defer n.bus.mu.Unlock()
		if then != nil {
			then()
		}
	}
}

// receives reports whether a packet can be taken now. Called under bus.mu.
func (n *faultyNode) receives(p *packet) bool {
	if p.from.cut || n.cut {
		return false
	}
	if n.paused {
		n.held = append(n.held, p)
		return false
	}
	if from := n.peers[p.from.id]; from != nil {
		from.suspect = false
	}
	return true
}

// giveUp separates a node from the others if it is still cut off by the same Cut.
func (b *Faulty) giveUp(n *faultyNode, cut int) {
	b.mu.Lock()
	if !n.cut || n.cuts != cut {
		b.mu.Unlock()
		return
	}
	n.alone = true
	others := slices.Clone(b.nodes)
	b.mu.Unlock()
	for _, other := range others {
		if other != n {
			other.forget(n.id)
			n.forget(other.id)
		}
	}
}

// forget takes another node from the members. Calls do not wait for it any more.
func (n *faultyNode) forget(other bus.NodeID) {
	n.bus.mu.Lock()
	_, known := n.peers[other]
	delete(n.peers, other)
	for c := range n.calls {
		c.hear(other)
	}
	n.bus.mu.Unlock()
	if known {
		n.membersChanged(nil, []bus.NodeID{other})
	}
}

func (n *faultyNode) membersChanged(joined, left []bus.NodeID) {
	if n.begin() {
		defer n.closing.RUnlock()
		n.local.MembersChanged(joined, left)
	}
}

// begin reports whether the node is open. If so, the caller unlocks closing when
// it has called local.
func (n *faultyNode) begin() bool {
	n.closing.RLock()
	if n.closed {
		n.closing.RUnlock()
		return false
	}
	return true
}

// Want sends word to the other nodes when it is the first for the address.
func (n *faultyNode) Want(a bus.Address) {
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	if n.wants[a]++; n.wants[a] == 1 {
		n.announce(a, true)
	}
}

// Drop sends word to the other nodes when it is the last for the address.
func (n *faultyNode) Drop(a bus.Address) {
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	if n.wants[a]--; n.wants[a] == 0 {
		delete(n.wants, a)
		n.announce(a, false)
	}
}

// announce is called under bus.mu. Nodes that do not know this one yet are told
// all that it wants when they meet it.
func (n *faultyNode) announce(a bus.Address, wanted bool) {
	for _, other := range n.bus.nodes {
		if other == n {
			continue
		}
		n.bus.send(n, other, true, func() {
			n.bus.mu.Lock()
			defer n.bus.mu.Unlock()
			if p := other.peers[n.id]; p != nil {
				p.wants[a] = wanted
			}
		})
	}
}

// Health returns an error while the node has given the others up.
func (n *faultyNode) Health() error {
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	if n.alone {
		return errors.New("bustest: the node is cut off")
	}
	return nil
}

// Close says goodbye to the others.
func (n *faultyNode) Close() error {
	n.closing.Lock()
	n.closed = true
	n.closing.Unlock()
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	n.bus.nodes = slices.DeleteFunc(n.bus.nodes, func(other *faultyNode) bool { return other == n })
	for _, other := range n.bus.nodes {
		n.bus.send(n, other, true, func() { other.forget(n.id) })
	}
	return nil
}

// check returns why the node cannot publish or ask.
func (n *faultyNode) check(ctx context.Context) error {
	n.closing.RLock()
	defer n.closing.RUnlock()
	switch {
	case n.closed:
		return bus.ErrClosed
	case n.Health() != nil:
		return bus.ErrRejected
	}
	return ctx.Err()
}

// timeout returns a channel that never receives where after is 0.
func timeout(after time.Duration) (expired <-chan time.Time, stop func()) {
	if after == 0 {
		return nil, func() {}
	}
	timer := time.NewTimer(after)
	return timer.C, func() { timer.Stop() }
}
