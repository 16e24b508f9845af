package bustest

import (
	"context"
	"slices"
	"time"

	"boundary-app.org/realtime/bus"
)

// call is what a node waits for: the replies of other nodes to one envelope, say.
// Its fields are guarded by bus.mu.
type call struct {
	open  map[bus.NodeID]bool // who has not replied; true: is waited for
	waits int
	done  chan struct{} // closed when nothing is waited for
}

// newCall is called under bus.mu.
func (n *faultyNode) newCall() *call {
	c := &call{open: map[bus.NodeID]bool{}, done: make(chan struct{})}
	n.calls[c] = true
	return c
}

func (c *call) expect(id bus.NodeID, wait bool) {
	c.open[id] = wait
	if wait {
		c.waits++
	}
}

// hear notes a reply, and reports whether it is one that is still missing.
func (c *call) hear(id bus.NodeID) bool {
	waited, open := c.open[id]
	delete(c.open, id)
	if waited {
		if c.waits--; c.waits == 0 {
			close(c.done)
		}
	}
	return open
}

// wait waits until every node that is waited for has replied, for atMost (0:
// without end), or until ctx is done. A node that has not replied by then is missing,
// and suspect if it had its time.
func (n *faultyNode) wait(ctx context.Context, c *call, atMost time.Duration) (missing []bus.NodeID, err error) {
	n.bus.mu.Lock()
	nothing := c.waits == 0
	n.bus.mu.Unlock()
	expired, stop := timeout(atMost)
	defer stop()
	late := false
	if !nothing {
		select {
		case <-c.done:
		case <-expired:
			late = true
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	delete(n.calls, c)
	for id := range c.open {
		missing = append(missing, id)
		if p := n.peers[id]; p != nil && late {
			p.suspect = true
		}
	}
	c.open = nil
	slices.Sort(missing)
	return missing, err
}

// begins calls each for every other node of an address, and returns the call that
// waits for them, and whether this node is one of the address. Each is called
// under bus.mu.
func (n *faultyNode) begins(a bus.Address, each func(c *call, other *faultyNode)) (c *call, self bool) {
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	c = n.newCall()
	for _, other := range n.bus.nodes {
		p := n.peers[other.id]
		if p != nil && isFor(a, other.id, p.wants[a]) {
			c.expect(other.id, !p.suspect)
			each(c, other)
		}
	}
	return c, isFor(a, n.id, n.wants[a] > 0)
}

// isFor reports whether an address is one of a node.
func isFor(a bus.Address, id bus.NodeID, wanted bool) bool {
	switch a.Route {
	case bus.Everyone:
		return true
	case bus.Connection:
		return bus.NodeOf(a.Target) == id
	}
	return wanted
}

// Publish sends to the others, delivers here, and waits.
func (n *faultyNode) Publish(ctx context.Context, e bus.Envelope) (bus.Receipt, error) {
	if err := n.check(ctx); err != nil {
		return bus.Receipt{}, err
	}
	var receipt bus.Receipt
	c, self := n.begins(e.To, func(c *call, other *faultyNode) {
		n.bus.send(n, other, false, func() {
			reply, open := other.deliver(e)
			if open {
				other.respond(n, c, func() { receipt.Add(other.id, reply) })
			}
		})
	})
	if reply, open := n.deliverHere(self, e); open {
		n.bus.mu.Lock()
		receipt.Add(n.id, reply)
		n.bus.mu.Unlock()
	}
	missing, err := n.wait(ctx, c, bus.ReplyTime)
	receipt.Missing = missing // no reply is added any more
	return receipt, err
}

func (n *faultyNode) deliverHere(self bool, e bus.Envelope) (reply bus.Reply, open bool) {
	if !self {
		return reply, false
	}
	return n.deliver(e)
}

func (n *faultyNode) deliver(e bus.Envelope) (reply bus.Reply, open bool) {
	if !n.begin() {
		return reply, false
	}
	defer n.closing.RUnlock()
	return n.local.Deliver(e), true
}

// respond sends a reply to a call of another node, which then adds it, under
// bus.mu, if it still waits.
func (n *faultyNode) respond(to *faultyNode, c *call, add func()) {
	n.bus.mu.Lock()
	defer n.bus.mu.Unlock()
	n.bus.send(n, to, false, func() {
		n.bus.mu.Lock()
		defer n.bus.mu.Unlock()
		if c.open == nil {
			return
		}
		if _, open := c.open[n.id]; open {
			add()
			c.hear(n.id)
		}
	})
}

// Known waits until the others confirm that they have heard what was wanted.
func (n *faultyNode) Known(ctx context.Context) error {
	if n.Health() != nil {
		return nil // there are no others
	}
	if err := n.check(ctx); err != nil {
		return err
	}
	c, _ := n.begins(bus.Address{Route: bus.Everyone}, func(c *call, other *faultyNode) {
		n.bus.send(n, other, true, func() { other.respond(n, c, func() {}) })
	})
	_, err := n.wait(ctx, c, bus.ReplyTime)
	return err
}

// Ask asks the others, and this node, and waits.
func (n *faultyNode) Ask(ctx context.Context, of bus.Address, question []byte) (answers map[bus.NodeID][]byte, missing []bus.NodeID) {
	answers = map[bus.NodeID][]byte{}
	if n.check(ctx) != nil {
		return answers, nil
	}
	c, self := n.begins(of, func(c *call, other *faultyNode) {
		n.bus.send(n, other, false, func() {
			n.bus.running.Go(func() {
				if answer, open := other.answer(ctx, question); open {
					other.respond(n, c, func() { answers[other.id] = answer })
				}
			})
		})
	})
	if self {
		if answer, open := n.answer(ctx, question); open {
			n.bus.mu.Lock()
			answers[n.id] = answer
			n.bus.mu.Unlock()
		}
	}
	missing, _ = n.wait(ctx, c, 0)
	return answers, missing
}

func (n *faultyNode) answer(ctx context.Context, question []byte) (answer []byte, open bool) {
	if !n.begin() {
		return nil, false
	}
	defer n.closing.RUnlock()
	return n.local.Answer(ctx, question), true
}
