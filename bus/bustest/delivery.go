package bustest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"boundary-app.org/realtime/bus"
)

func everyNodeOnce(t *testing.T, b bus.Bus) {
	nodes := cluster(t, b, 1, 1, 1)
	for i, n := range nodes {
		n.publish(t, fmt.Sprint(i))
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
	nodes := cluster(t, b, 1, 1)
	origin, other := nodes[0], nodes[1]
	sent := []bus.Envelope{
		{To: everyone, Body: []byte(`{"type":"a"}`)},
		{To: bus.Address{Route: bus.User, Target: "u 1/ü>*."}, Body: []byte("x")},
		{To: bus.Address{Route: bus.Role, Target: "admin"}, Op: bus.Disconnect, Body: []byte(`{"code":4503}`)},
		{To: bus.Address{Route: bus.Connection, Target: string(other.id) + "c1"}, Op: bus.Subscribe, Body: []byte("order:1")},
		{To: everyone, Op: bus.Revoke, Body: []byte("\x00\xff")},
		{To: bus.Address{Route: bus.Topic, Target: strings.Repeat("t", 255)}, Op: bus.Unsubscribe},
		{To: bus.Address{Route: bus.Topic, Target: "big"}, Body: []byte(strings.Repeat("x", 256<<10))},
	}
	for _, e := range sent {
		if e.To.Route != bus.Everyone && e.To.Route != bus.Connection {
			other.Want(e.To)
		}
	}
	other.known(t)
	for _, e := range sent {
		if _, err := origin.Publish(t.Context(), e); err != nil {
			t.Fatalf("publish: %v", err)
		}
	}
	for i, e := range other.wait(t, len(sent)) {
		want := sent[i]
		if e.To != want.To || e.Op != want.Op || string(e.Body) != string(want.Body) {
			t.Errorf("envelope %d came as %v op %d, %d bytes", i, e.To, e.Op, len(e.Body))
		}
	}
}

func addsRecipients(t *testing.T, b bus.Bus) {
	nodes := cluster(t, b, 2, 3, 0)
	if got := nodes[0].publish(t, "x"); got.Recipients != 5 || got.Nodes != 3 {
		t.Errorf("%d recipients on %d nodes, want 5 on 3", got.Recipients, got.Nodes)
	}
	nobody := bus.Address{Route: bus.User, Target: "nobody"}
	nodes[0].recipients, nodes[1].recipients = 0, 0
	if got := nodes[0].publishTo(t, nobody, "x"); got.Recipients != 0 {
		t.Errorf("%d recipients, want 0", got.Recipients)
	}
}

func returnsReplies(t *testing.T, b bus.Bus) {
	nodes := cluster(t, b, 1, 1, 1)
	receipt := nodes[1].publish(t, "x")
	for _, n := range nodes {
		if got, want := string(receipt.Replies[n.id]), fmt.Sprint("x by ", n.id); got != want {
			t.Errorf("a node replied %q, want %q", got, want)
		}
	}
	if len(receipt.Replies) != 3 {
		t.Errorf("%d replies, want 3", len(receipt.Replies))
	}
}

func keepsOrder(t *testing.T, b bus.Bus) {
	const messages = 200
	nodes := cluster(t, b, 1, 1)
	for i := range messages {
		nodes[0].publish(t, fmt.Sprint(i))
	}
	for _, n := range nodes {
		for i, e := range n.wait(t, messages) {
			if string(e.Body) != fmt.Sprint(i) {
				t.Fatalf("message %s arrived as number %d", e.Body, i)
			}
		}
	}
}

func concurrentPublishers(t *testing.T, b bus.Bus) {
	const publishers, messages = 4, 50
	nodes := cluster(t, b, 1, 1)
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range messages {
				e := bus.Envelope{To: topicT, Body: fmt.Append(nil, p, " ", i)}
				if _, err := nodes[p%2].Publish(context.Background(), e); err != nil {
					t.Errorf("publish: %v", err)
				}
			}
		})
	}
	wg.Wait()
	for _, n := range nodes {
		next := map[string]int{}
		for _, e := range n.wait(t, publishers*messages) {
			publisher, number, _ := strings.Cut(string(e.Body), " ")
			if number != fmt.Sprint(next[publisher]) {
				t.Fatalf("publisher %s: %s arrived, want %d", publisher, number, next[publisher])
			}
			next[publisher]++
		}
	}
}

func connectionsNode(t *testing.T, b bus.Bus) {
	nodes := cluster(t, b, 1, 1, 1)
	for _, target := range nodes {
		for _, origin := range nodes {
			to := bus.Address{Route: bus.Connection, Target: string(target.id) + "-connection-01"}
			if got := origin.publishTo(t, to, "x"); got.Recipients != 1 || got.Nodes != 1 {
				t.Errorf("%d recipients on %d nodes, want 1 on 1", got.Recipients, got.Nodes)
			}
		}
	}
	for _, n := range nodes {
		if log := n.wait(t, 3); len(log) != 3 {
			t.Errorf("a node received %d envelopes, want its own 3", len(log))
		}
	}
	for _, name := range []string{"", "c1", string(bus.NewNodeID()) + "-of-another-cluster"} {
		to := bus.Address{Route: bus.Connection, Target: name}
		if got := nodes[0].publishTo(t, to, "x"); got.Recipients != 0 || got.Nodes != 0 {
			t.Errorf("connection %q: %d recipients on %d nodes, want none", name, got.Recipients, got.Nodes)
		}
	}
}

func leftNode(t *testing.T, b bus.Bus) {
	nodes := cluster(t, b, 1, 1)
	stays, leaves := nodes[0], nodes[1]
	if err := leaves.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	stays.until(t, "the leave", func() bool { return len(stays.members) == 0 })
	if got := stays.publish(t, "x"); got.Recipients != 1 || got.Nodes != 1 {
		t.Errorf("%d recipients on %d nodes, want 1 on 1", got.Recipients, got.Nodes)
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
	if _, err := n.Publish(t.Context(), bus.Envelope{To: topicT}); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("publish after close: %v, want ErrClosed", err)
	}
	if answers, missing := n.ask(t, everyone); len(answers)+len(missing) != 0 {
		t.Errorf("ask after close: %d answers, %v missing", len(answers), missing)
	}
}

func doneContext(t *testing.T, b bus.Bus) {
	n := join(t, b, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Publish(ctx, bus.Envelope{To: topicT}); !errors.Is(err, context.Canceled) {
		t.Errorf("publish: %v, want context.Canceled", err)
	}
	if log := n.log(); len(log) != 0 {
		t.Errorf("%d envelopes were delivered", len(log))
	}
}
