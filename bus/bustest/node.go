package bustest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"boundary-app.org/realtime/bus"
)

var (
	everyone = bus.Address{Route: bus.Everyone}
	topicT   = bus.Address{Route: bus.Topic, Target: "t"}
)

// patience is how long an event may take. It passes only where a test fails.
const patience = 10 * time.Second

// node is a member that records what it is handed, and replies with its name.
type node struct {
	bus.Node
	id         bus.NodeID
	recipients int
	answer     func(ctx context.Context, question []byte) []byte
	delivering func() // called by Deliver, if there is one

	mu       sync.Mutex
	changed  chan struct{}       // guarded by mu; closed at the next change
	received []bus.Envelope      // guarded by mu
	members  map[bus.NodeID]bool // guarded by mu
}

// join adds a node that reaches so many recipients with each envelope.
func join(t *testing.T, b bus.Bus, recipients int) *node {
	t.Helper()
	n := &node{id: bus.NewNodeID(), recipients: recipients, changed: make(chan struct{}), members: map[bus.NodeID]bool{}}
	n.answer = func(_ context.Context, question []byte) []byte { return fmt.Appendf(nil, "%s of %s", question, n.id) }
	member, err := b.Join(t.Context(), n.id, n)
	if err != nil {
		t.Fatalf("join: %v", err)
	}
	n.Node = member
	t.Cleanup(func() { _ = member.Close() })
	return n
}

// cluster joins a node for each count of recipients. All see each other, and all
// want the topic "t".
func cluster(t *testing.T, b bus.Bus, recipients ...int) []*node {
	t.Helper()
	var nodes []*node
	for _, count := range recipients {
		n := join(t, b, count)
		n.Want(topicT)
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		n.until(t, "the other members", func() bool { return len(n.members) == len(nodes)-1 })
	}
	for _, n := range nodes {
		n.known(t)
	}
	return nodes
}

func (n *node) Deliver(e bus.Envelope) bus.Reply {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.received = append(n.received, e)
	n.notify()
	if n.delivering != nil {
		n.delivering()
	}
	return bus.Reply{Recipients: n.recipients, Body: fmt.Appendf(nil, "%s by %s", e.Body, n.id)}
}

func (n *node) Answer(ctx context.Context, question []byte) []byte { return n.answer(ctx, question) }

func (n *node) MembersChanged(joined, left []bus.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range left {
		delete(n.members, id)
	}
	for _, id := range joined {
		n.members[id] = true
	}
	n.notify()
}

// notify wakes until. Called under mu.
func (n *node) notify() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// until waits for a condition on what mu guards.
func (n *node) until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		n.mu.Lock()
		met, changed := condition(), n.changed
		n.mu.Unlock()
		if met {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// wait returns the received envelopes once there are count of them.
func (n *node) wait(t *testing.T, count int) []bus.Envelope {
	t.Helper()
	n.until(t, fmt.Sprint(count, " envelopes"), func() bool { return len(n.received) >= count })
	return n.log()
}

func (n *node) log() []bus.Envelope {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.received)
}

func (n *node) known(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := n.Known(ctx); err != nil {
		t.Fatalf("known: %v", err)
	}
}

// publish publishes to the topic "t".
func (n *node) publish(t *testing.T, body string) bus.Receipt {
	t.Helper()
	return n.publishTo(t, topicT, body)
}

func (n *node) publishTo(t *testing.T, to bus.Address, body string) bus.Receipt {
	t.Helper()
	receipt, err := n.Publish(t.Context(), bus.Envelope{To: to, Body: []byte(body)})
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	if len(receipt.Missing) > 0 {
		t.Fatalf("%v did not reply", receipt.Missing)
	}
	return receipt
}

// ask asks with patience.
func (n *node) ask(t *testing.T, of bus.Address) (answers map[bus.NodeID][]byte, missing []bus.NodeID) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return n.Ask(ctx, of, []byte("q"))
}
