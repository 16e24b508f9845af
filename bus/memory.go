package bus

import (
	"context"
	"slices"
	"sync"
)

// Memory is the bus of one process. Publish delivers on every node before it
// returns, whether the node wants the address or not: a delivery that finds no
// connection costs less than a table of interest. The zero value is ready to use. Services that share one are a
// cluster.
type Memory struct {
	mu    sync.Mutex // guards the writes of nodes
	nodes []*memoryNode

	changing sync.Mutex // held while nodes join or leave, and MembersChanged is called
}

// NewMemory returns a bus without members.
func NewMemory() *Memory { return &Memory{} }

type memoryNode struct {
	bus   *Memory
	id    NodeID
	local Local

	closing sync.RWMutex // held for reading while local is called
	closed  bool         // guarded by closing
}

// Join adds a node at once.
func (m *Memory) Join(_ context.Context, id NodeID, local Local) (Node, error) {
	m.changing.Lock()
	defer m.changing.Unlock()
	others := m.members()
	n := &memoryNode{bus: m, id: id, local: local}
	m.set(append(slices.Clip(others), n)) // readers keep the slice they took
	present := make([]NodeID, len(others))
	for i, other := range others {
		present[i] = other.id
		other.membersChanged([]NodeID{id}, nil)
	}
	if len(present) > 0 {
		local.MembersChanged(present, nil)
	}
	return n, nil
}

func (m *Memory) members() []*memoryNode {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.nodes
}

func (m *Memory) set(nodes []*memoryNode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nodes = nodes
}

// Publish delivers on the nodes of the address, one after the other.
func (n *memoryNode) Publish(ctx context.Context, e Envelope) (receipt Receipt, err error) {
	if err := n.check(ctx); err != nil {
		return Receipt{}, err
	}
	for _, node := range n.bus.of(e.To) {
		if node.begin() {
			receipt.Add(node.id, node.local.Deliver(e))
			node.end()
		}
	}
	return receipt, nil
}

func (n *memoryNode) check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n.closing.RLock()
	defer n.closing.RUnlock()
	if n.closed {
		return ErrClosed
	}
	return nil
}

// of returns the nodes of an address.
func (m *Memory) of(a Address) []*memoryNode {
	nodes := m.members()
	if a.Route != Connection {
		return nodes
	}
	id := NodeOf(a.Target)
	for i, n := range nodes {
		if n.id == id {
			return nodes[i : i+1]
		}
	}
	return nil
}

// begin reports whether the node is open. If so, Close waits until the caller,
// which calls Local in between, calls end. Local does not call the bus (its
// contract), so this cannot deadlock.
func (n *memoryNode) begin() bool {
	n.closing.RLock()
	if n.closed {
		n.closing.RUnlock()
		return false
	}
	return true
}

func (n *memoryNode) end() { n.closing.RUnlock() }

func (n *memoryNode) membersChanged(joined, left []NodeID) {
	if n.begin() {
		defer n.end()
		n.local.MembersChanged(joined, left)
	}
}

// Ask asks the nodes concurrently and waits for all answers.
func (n *memoryNode) Ask(ctx context.Context, of Address, question []byte) (answers map[NodeID][]byte, missing []NodeID) {
	answers = map[NodeID][]byte{}
	if n.check(ctx) != nil {
		return answers, nil
	}
	var mu sync.Mutex // guards answers
	var asked sync.WaitGroup
	for _, node := range n.bus.of(of) {
		asked.Go(func() {
			if !node.begin() {
				return
			}
			defer node.end()
			answer := node.local.Answer(ctx, question)
			mu.Lock()
			defer mu.Unlock()
			answers[node.id] = answer
		})
	}
	asked.Wait()
	return answers, nil
}

// Close waits for the calls of Local that run.
func (n *memoryNode) Close() error {
	m := n.bus
	m.changing.Lock()
	defer m.changing.Unlock()
	n.closing.Lock()
	closed := n.closed
	n.closed = true
	n.closing.Unlock()
	if closed {
		return nil
	}
	m.set(slices.DeleteFunc(slices.Clone(m.members()), func(other *memoryNode) bool { return other == n }))
	for _, other := range m.members() {
		other.membersChanged(nil, []NodeID{n.id})
	}
	return nil
}

// Want does nothing.
func (n *memoryNode) Want(Address) {}

// Drop does nothing.
func (n *memoryNode) Drop(Address) {}

// Known returns at once.
func (n *memoryNode) Known(context.Context) error { return nil }

// Health returns nil.
func (n *memoryNode) Health() error { return nil }
