package bustest

import (
	"context"
	"slices"
	"testing"
	"time"

	"boundary-app.org/realtime/bus"
)

// Breaker stops nodes of a bus for tests, as a process is stopped or a cable is cut.
type Breaker interface {
	// Pause stops a node: nothing arrives there, and it sends nothing.
	Pause(id bus.NodeID)
	// Resume ends Pause.
	Resume(id bus.NodeID)
}

// RunFaults runs the tests of a bus whose nodes fail: what a receipt says of a
// node that does not reply, and that the node is reached again afterwards.
func RunFaults(t *testing.T, newBus func(t *testing.T) (bus.Bus, Breaker)) {
	t.Helper()
	for _, c := range faultSuite {
		t.Run(c.name, func(t *testing.T) {
			b, breaker := newBus(t)
			c.run(t, b, breaker)
		})
	}
}

// faultSuite holds the tests of RunFaults; never changed.
var faultSuite = []struct {
	name string
	run  func(t *testing.T, b bus.Bus, breaker Breaker)
}{
	{"names a node that does not reply, until it replies again", namesMissing},
	{"names a node that does not answer", namesUnanswered},
	{"knows what is wanted although a node does not confirm", knownWithoutAll},
}

const retryInterval = 10 * time.Millisecond

// publishUntil publishes to the topic "t" until the receipt lists the node as
// missing, or has its reply.
func (n *node) publishUntil(t *testing.T, id bus.NodeID, missing bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ; ; <-time.After(retryInterval) {
		receipt, err := n.Publish(ctx, bus.Envelope{To: topicT, Body: []byte("x")})
		switch {
		case ctx.Err() != nil:
			t.Fatalf("no receipt came in which a node is missing: %v", missing)
		case err == nil && slices.Contains(receipt.Missing, id) == missing && (receipt.Replies[id] == nil) == missing:
			return
		}
	}
}

func namesMissing(t *testing.T, b bus.Bus, breaker Breaker) {
	nodes := cluster(t, b, 1, 1, 1)
	silent := nodes[2].id
	breaker.Pause(silent)
	receipt, err := nodes[0].Publish(t.Context(), bus.Envelope{To: topicT, Body: []byte("x")})
	if err != nil || !slices.Equal(receipt.Missing, []bus.NodeID{silent}) || receipt.Recipients != 2 || receipt.Nodes != 2 {
		t.Errorf("%+v, %v; want 2 recipients on 2 nodes, missing %s", receipt, err, silent)
	}
	breaker.Resume(silent)
	nodes[0].publishUntil(t, silent, false)
}

func namesUnanswered(t *testing.T, b bus.Bus, breaker Breaker) {
	nodes := cluster(t, b, 1, 1)
	silent := nodes[1].id
	breaker.Pause(silent)
	nodes[0].publishUntil(t, silent, true) // it is suspect now
	answers, missing := nodes[0].ask(t, everyone)
	if len(answers) != 1 || answers[nodes[0].id] == nil || !slices.Equal(missing, []bus.NodeID{silent}) {
		t.Errorf("answers %v, missing %v; want its own answer, missing %s", answers, missing, silent)
	}
	breaker.Resume(silent)
	nodes[0].publishUntil(t, silent, false)
}

func knownWithoutAll(t *testing.T, b bus.Bus, breaker Breaker) {
	nodes := cluster(t, b, 1, 1, 1)
	breaker.Pause(nodes[2].id)
	a := bus.Address{Route: bus.User, Target: "new"}
	nodes[1].Want(a)
	nodes[1].known(t)
	if got := nodes[0].publishTo(t, a, "x"); got.Replies[nodes[1].id] == nil {
		t.Error("the node that wants the address did not reply")
	}
	breaker.Resume(nodes[2].id)
	nodes[2].publishUntil(t, nodes[0].id, false)
	if got := nodes[2].publishTo(t, a, "x"); got.Replies[nodes[1].id] == nil {
		t.Error("the node that was paused does not know of the interest")
	}
}
