// Package bustest is the behaviour every bus must show. A bus's own test calls
// Run with a function that makes a fresh bus.
package bustest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"boundary-app.org/realtime/bus"
)

// Run runs the suite. Make is called once for each test; what it returns, asked
// again, must reach the same cluster. It may register cleanups on t.
func Run(t *testing.T, newBus func(t *testing.T) bus.Bus) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(t *testing.T, b bus.Bus)
	}{
		{"reaches every node once, the origin included", everyNodeOnce},
		{"carries the envelope unchanged", carriesEnvelope},
		{"adds the recipients of all nodes", addsRecipients},
		{"reports no recipient as zero", noRecipients},
		{"keeps a publisher's order", keepsOrder},
		{"loses nothing under concurrent publishers", concurrentPublishers},
		{"does not deliver to a node that left", leftNode},
		{"close is idempotent and refuses to publish", closeTwice},
		{"refuses a done context", doneContext},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, newBus(t)) })
	}
}

// node is a member that records what it was handed.
type node struct {
	bus.Node
	connections int // what it claims to have reached

	mu       sync.Mutex
	received []bus.Envelope
	arrived  chan struct{}
}

func join(t *testing.T, b bus.Bus, connections int) *node {
	t.Helper()
	n := &node{connections: connections, arrived: make(chan struct{}, 1)}
	member, err := b.Join(t.Context(), n.deliver)
	if err != nil {
		t.Fatalf("join: %v", err)
	}
	n.Node = member
	t.Cleanup(func() { _ = member.Close() })
	return n
}

func (n *node) deliver(e bus.Envelope) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.received = append(n.received, e)
	select {
	case n.arrived <- struct{}{}:
	default:
	}
	return n.connections
}

func (n *node) log() []bus.Envelope {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.received)
}

// wait returns the log once it has count entries.
func (n *node) wait(t *testing.T, count int) []bus.Envelope {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		if log := n.log(); len(log) >= count {
			return log
		}
		select {
		case <-n.arrived:
		case <-deadline:
			t.Fatalf("%d of %d envelopes arrived", len(n.log()), count)
		}
	}
}

func publish(t *testing.T, n *node, e bus.Envelope) bus.Receipt {
	t.Helper()
	receipt, err := n.Publish(t.Context(), e)
	if err != nil {
		t.Fatalf("publish: %v", err)
	}
	return receipt
}

func topic(name, body string) bus.Envelope {
	return bus.Envelope{Route: bus.Topic, Target: name, Body: []byte(body)}
}

func everyNodeOnce(t *testing.T, b bus.Bus) {
	nodes := []*node{join(t, b, 1), join(t, b, 1), join(t, b, 1)}
	for i, n := range nodes {
		publish(t, n, topic("t", fmt.Sprint(i)))
	}
	for i, n := range nodes {
		log := n.wait(t, len(nodes))
		seen := map[string]int{}
		for _, e := range log {
			seen[string(e.Body)]++
		}
		if len(log) != 3 || seen["0"] != 1 || seen["1"] != 1 || seen["2"] != 1 {
			t.Errorf("node %d received %v, want each of 0, 1, 2 once", i, seen)
		}
	}
}

func carriesEnvelope(t *testing.T, b bus.Bus) {
	origin, other := join(t, b, 1), join(t, b, 1)
	sent := []bus.Envelope{
		{Route: bus.Everyone, Body: []byte(`{"type":"a"}`)},
		{Route: bus.User, Target: "u 1/ü>*.", Body: []byte("x")},
		{Route: bus.Role, Target: "admin", Op: bus.Disconnect, Body: []byte(`{"code":4503}`)},
		{Route: bus.Connection, Target: "c1", Op: bus.Subscribe, Body: []byte("order:1")},
		{Route: bus.Everyone, Op: bus.Revoke, Body: []byte(`{"kind":"user"}`)},
		{Route: bus.Topic, Target: strings.Repeat("t", 255), Op: bus.Unsubscribe},
		{Route: bus.Topic, Target: "big", Body: []byte(strings.Repeat("x", 256<<10))},
	}
	for _, e := range sent {
		publish(t, origin, e)
	}
	for i, e := range other.wait(t, len(sent)) {
		want := sent[i]
		if e.Route != want.Route || e.Target != want.Target || e.Op != want.Op || string(e.Body) != string(want.Body) {
			t.Errorf("envelope %d came as %s %q op %d, %d bytes", i, e.Route, e.Target, e.Op, len(e.Body))
		}
	}
}

func addsRecipients(t *testing.T, b bus.Bus) {
	origin := join(t, b, 2)
	join(t, b, 3)
	if got := publish(t, origin, topic("t", "x")).Recipients; got != 5 {
		t.Errorf("recipients = %d, want 5", got)
	}
}

func noRecipients(t *testing.T, b bus.Bus) {
	origin := join(t, b, 0)
	join(t, b, 0)
	if got := publish(t, origin, topic("nobody", "x")); got.Recipients != 0 {
		t.Errorf("recipients = %d, want 0", got.Recipients)
	}
}

func keepsOrder(t *testing.T, b bus.Bus) {
	const messages = 200
	origin, other := join(t, b, 1), join(t, b, 1)
	for i := range messages {
		publish(t, origin, topic("t", fmt.Sprint(i)))
	}
	for _, n := range []*node{origin, other} {
		for i, e := range n.wait(t, messages) {
			if string(e.Body) != fmt.Sprint(i) {
				t.Fatalf("message %d arrived as number %d", i, i)
			}
		}
	}
}

func concurrentPublishers(t *testing.T, b bus.Bus) {
	const publishers, messages = 4, 50
	nodes := []*node{join(t, b, 1), join(t, b, 1)}
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range messages {
				if _, err := nodes[p%2].Publish(context.Background(), topic(fmt.Sprint(p), fmt.Sprint(i))); err != nil {
					t.Errorf("publish: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for _, n := range nodes {
		next := map[string]int{}
		for _, e := range n.wait(t, publishers*messages) {
			if string(e.Body) != fmt.Sprint(next[e.Target]) {
				t.Fatalf("publisher %s: %s arrived, want %d", e.Target, e.Body, next[e.Target])
			}
			next[e.Target]++
		}
	}
}

func leftNode(t *testing.T, b bus.Bus) {
	stays, leaves := join(t, b, 1), join(t, b, 1)
	if err := leaves.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if got := publish(t, stays, topic("t", "x")).Recipients; got != 1 {
		t.Errorf("recipients = %d, want 1", got)
	}
	stays.wait(t, 1)
	if log := leaves.log(); len(log) != 0 {
		t.Errorf("a node that left received %d envelopes", len(log))
	}
}

func closeTwice(t *testing.T, b bus.Bus) {
	n := join(t, b, 1)
	for range 2 {
		if err := n.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	if _, err := n.Publish(t.Context(), topic("t", "x")); err != bus.ErrClosed {
		t.Errorf("publish after close: %v, want ErrClosed", err)
	}
}

func doneContext(t *testing.T, b bus.Bus) {
	n := join(t, b, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Publish(ctx, topic("t", "x")); err != context.Canceled {
		t.Errorf("publish: %v, want context.Canceled", err)
	}
	if log := n.log(); len(log) != 0 {
		t.Errorf("%d envelopes were delivered", len(log))
	}
}
