package bus

import (
	"context"
	"slices"
	"sync"
)

// Memory is the bus of one process: Publish delivers on every node before it
// returns. The zero value is ready; services that share one are a cluster.
type Memory struct {
	mu    sync.Mutex // guards the writes of nodes
	nodes []*memoryNode
}

// NewMemory returns a bus of its own.
func NewMemory() *Memory { return &Memory{} }

type memoryNode struct {
	bus     *Memory
	deliver Deliver

	closing sync.RWMutex // held for reading while a delivery runs
	closed  bool         // guarded by closing
}

// Join adds a node at once.
func (m *Memory) Join(_ context.Context, deliver Deliver) (Node, error) {
	n := &memoryNode{bus: m, deliver: deliver}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nodes = append(slices.Clip(m.nodes), n) // readers keep the slice they took
	return n, nil
}

func (n *memoryNode) Publish(ctx context.Context, e Envelope) (Receipt, error) {
	if err := ctx.Err(); err != nil {
		return Receipt{}, err
	}
	if n.isClosed() {
		return Receipt{}, ErrClosed
	}
	var receipt Receipt
	for _, node := range n.bus.members() {
		receipt.Recipients += node.receive(e)
	}
	return receipt, nil
}

func (m *Memory) members() []*memoryNode {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.nodes
}

func (n *memoryNode) isClosed() bool {
	n.closing.RLock()
	defer n.closing.RUnlock()
	return n.closed
}

// receive holds the read lock while it delivers so that Close can wait for it.
// Deliver neither blocks nor publishes (its contract), so this cannot deadlock.
func (n *memoryNode) receive(e Envelope) int {
	n.closing.RLock()
	defer n.closing.RUnlock()
	if n.closed {
		return 0
	}
	return n.deliver(e)
}

func (n *memoryNode) Close() error {
	n.bus.remove(n)
	n.closing.Lock()
	defer n.closing.Unlock()
	n.closed = true
	return nil
}

func (m *Memory) remove(n *memoryNode) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nodes = slices.DeleteFunc(slices.Clone(m.nodes), func(other *memoryNode) bool { return other == n })
}
