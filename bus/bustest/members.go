package bustest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"boundary-app.org/realtime/bus"
)

func wantedAddress(t *testing.T, b bus.Bus) {
	nodes := cluster(t, b, 1, 1)
	origin, other := nodes[0], nodes[1]
	reached := func(a bus.Address) bool { return origin.publishTo(t, a, "x").Replies[other.id] != nil }
	for _, route := range []bus.Route{bus.User, bus.Role, bus.Topic} {
		a := bus.Address{Route: route, Target: "u1"}
		other.Want(a)
		other.known(t)
		if !reached(a) {
			t.Errorf("%v: the node that wants it did not reply", a)
		}
		other.Want(a)
		other.Drop(a)
		other.known(t)
		if !reached(a) {
			t.Errorf("%v: the node that wanted it twice and dropped it once did not reply", a)
		}
		other.Drop(a)
		other.Want(a)
		other.known(t)
		if !reached(a) {
			t.Errorf("%v: the node that wants it again did not reply", a)
		}
	}
}

func wantedInDeliver(t *testing.T, b bus.Bus) {
	nodes := cluster(t, b, 1, 1)
	a := bus.Address{Route: bus.Topic, Target: "new"}
	nodes[1].delivering = func() { nodes[1].Want(a) }
	nodes[0].publish(t, "x")
	nodes[1].delivering = nil
	if nodes[0].publishTo(t, a, "x").Replies[nodes[1].id] == nil {
		t.Error("the node that wanted the topic while it was delivered to did not reply")
	}
}

func asksEveryNode(t *testing.T, b bus.Bus) {
	nodes := cluster(t, b, 1, 1, 1)
	for _, of := range []bus.Address{everyone, topicT} {
		answers, missing := nodes[2].ask(t, of)
		for _, n := range nodes {
			if got, want := string(answers[n.id]), fmt.Sprint("q of ", n.id); got != want {
				t.Errorf("%v: a node answered %q, want %q", of, got, want)
			}
		}
		if len(answers) != 3 || len(missing) != 0 {
			t.Errorf("%v: %d answers, missing %v; want 3 answers", of, len(answers), missing)
		}
	}
}

func asksConnectionsNode(t *testing.T, b bus.Bus) {
	nodes := cluster(t, b, 1, 1)
	answers, missing := nodes[0].ask(t, bus.Address{Route: bus.Connection, Target: string(nodes[1].id) + "c1"})
	if len(answers) != 1 || answers[nodes[1].id] == nil || len(missing) != 0 {
		t.Errorf("answers %v, missing %v; want the answer of the connection's node", answers, missing)
	}
}

func slowAnswer(t *testing.T, b bus.Bus) {
	nodes := cluster(t, b, 1, 1)
	reached := make(chan struct{})
	nodes[1].answer = func(ctx context.Context, _ []byte) []byte {
		close(reached)
		<-ctx.Done()
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-reached
		cancel()
	}()
	timeout := time.AfterFunc(patience, cancel)
	defer timeout.Stop()
	nodes[0].Ask(ctx, everyone, []byte("q"))
	select {
	case <-reached:
	default:
		t.Error("the node was not asked")
	}
}

func membersChange(t *testing.T, b bus.Bus) {
	nodes := cluster(t, b, 1, 1)
	late := join(t, b, 1)
	late.until(t, "two members", func() bool { return late.members[nodes[0].id] && late.members[nodes[1].id] })
	nodes[0].until(t, "the join", func() bool { return nodes[0].members[late.id] })
	_ = nodes[1].Close()
	for _, n := range []*node{nodes[0], late} {
		n.until(t, "the leave", func() bool { return len(n.members) == 1 && !n.members[nodes[1].id] })
	}
	nodes[0].mu.Lock()
	defer nodes[0].mu.Unlock()
	if nodes[0].members[nodes[0].id] {
		t.Error("a node was reported to itself")
	}
}

func healthy(t *testing.T, b bus.Bus) {
	for _, n := range cluster(t, b, 1, 1) {
		if err := n.Health(); err != nil {
			t.Errorf("health: %v", err)
		}
	}
}
