package bustest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime/bus"
)

// The bus keeps the contract whatever it delays. In virtual time no reply is late
// because the processors are busy.
func TestFaulty(t *testing.T) {
	t.Parallel()
	for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
		for _, c := range suite {
			t.Run(fmt.Sprint(c.name, " ", delay), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					b := NewFaulty(t, 1)
					b.SetDelay(delay)
					c.run(t, b)
				})
			})
		}
	}
}

func TestFaultyBreaks(t *testing.T) {
	t.Parallel()
	for _, c := range faultSuite {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := NewFaulty(t, 1)
				b.SetDelay(10 * time.Millisecond)
				c.run(t, b, b)
			})
		})
	}
}

// faulty runs a test in virtual time, on a bus with as many nodes.
func faulty(t *testing.T, nodes int, test func(t *testing.T, b *Faulty, nodes []*node)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewFaulty(t, 1)
		b.SetDelay(10 * time.Millisecond)
		test(t, b, cluster(t, b, slices.Repeat([]int{1}, nodes)...))
	})
}

// wants publishes to the topic "t" and fails the test unless so many nodes reply,
// the others are missing, and it takes as long as that means.
func (n *node) wants(t *testing.T, nodes int, took time.Duration, missing ...bus.NodeID) {
	t.Helper()
	begin := time.Now()
	receipt, err := n.Publish(t.Context(), bus.Envelope{To: topicT, Body: []byte("x")})
	slices.Sort(missing)
	if err != nil || receipt.Nodes != nodes || receipt.Recipients != nodes || !slices.Equal(receipt.Missing, missing) {
		t.Errorf("%+v, %v; want %d nodes, missing %v", receipt, err, nodes, missing)
	}
	if d := time.Since(begin); took == bus.ReplyTime && d != took || d > took {
		t.Errorf("it took %v, want %v", d, took)
	}
}

const quick = 20 * time.Millisecond // there and back

// A node that does not answer is missing after a quarter of a second, and is not
// waited for again until it has been heard of.
func TestFaultyCut(t *testing.T) {
	faulty(t, 3, func(t *testing.T, b *Faulty, nodes []*node) {
		a, c := nodes[0], nodes[2]
		b.Cut(c.id)
		a.wants(t, 2, bus.ReplyTime, c.id)
		a.wants(t, 2, quick, c.id)
		b.Heal(c.id)
		a.wants(t, 2, quick, c.id) // nothing has arrived from it yet
		synctest.Wait()
		time.Sleep(quick)
		a.wants(t, 3, quick)
		if log := c.log(); len(log) < 1 || len(log) > 2 {
			t.Errorf("the node received %d envelopes", len(log))
		}
	})
}

// A paused node receives everything when it goes on.
func TestFaultyPause(t *testing.T) {
	faulty(t, 2, func(t *testing.T, b *Faulty, nodes []*node) {
		a, c := nodes[0], nodes[1]
		b.Pause(c.id)
		a.wants(t, 1, bus.ReplyTime, c.id)
		a.wants(t, 1, quick, c.id)
		b.Resume(c.id)
		c.wait(t, 2)
		time.Sleep(quick)
		a.wants(t, 2, quick)
	})
}

// Nodes that do not hear of each other for long give each other up, and join again.
func TestFaultyRejoin(t *testing.T) {
	faulty(t, 3, func(t *testing.T, b *Faulty, nodes []*node) {
		a, c := nodes[0], nodes[2]
		b.Cut(c.id)
		a.until(t, "the leave", func() bool { return !a.members[c.id] })
		c.until(t, "the leaves", func() bool { return len(c.members) == 0 })
		a.wants(t, 2, quick)
		if _, err := c.Publish(t.Context(), bus.Envelope{To: topicT}); !errors.Is(err, bus.ErrRejected) || c.Health() == nil {
			t.Errorf("publish of the node that is cut off: %v, health: %v", err, c.Health())
		}
		if err := c.Known(t.Context()); err != nil {
			t.Errorf("known: %v", err)
		}
		c.Want(bus.Address{Route: bus.User, Target: "meanwhile"})
		b.Heal(c.id)
		a.until(t, "the join", func() bool { return a.members[c.id] })
		c.until(t, "the joins", func() bool { return len(c.members) == 2 })
		a.wants(t, 3, quick)
		c.wants(t, 3, quick)
		if got := a.publishTo(t, bus.Address{Route: bus.User, Target: "meanwhile"}, "x"); got.Nodes != 1 || c.Health() != nil {
			t.Errorf("%d nodes replied, health: %v", got.Nodes, c.Health())
		}
	})
}

// What is lost is missing. What nodes want is not lost.
func TestFaultyLoss(t *testing.T) {
	faulty(t, 3, func(t *testing.T, b *Faulty, nodes []*node) {
		b.SetLoss(0.3)
		missing := 0
		for i := range 100 {
			a := bus.Address{Route: bus.User, Target: fmt.Sprint(i)}
			nodes[1].Want(a)
			time.Sleep(resendTime + quick)
			receipt, err := nodes[0].Publish(t.Context(), bus.Envelope{To: a, Body: []byte("x")})
			if err != nil || receipt.Nodes+len(receipt.Missing) != 1 {
				t.Fatalf("publication %d: %+v, %v", i, receipt, err)
			}
			missing += len(receipt.Missing)
		}
		if received := len(nodes[1].log()); missing < 20 || missing > 80 || received < 100-missing || received == 100 {
			t.Errorf("%d are missing and %d were received of 100", missing, received)
		}
	})
}

// Messages of one node arrive in order, those of several in another one at each.
func TestFaultyOrder(t *testing.T) {
	faulty(t, 3, func(t *testing.T, b *Faulty, nodes []*node) {
		var publishing sync.WaitGroup
		for i := range 50 {
			for _, n := range nodes[:2] {
				publishing.Go(func() {
					_, _ = n.Publish(context.Background(), bus.Envelope{To: topicT, Body: fmt.Append(nil, string(n.id), i)})
				})
				synctest.Wait() // until it has been sent
			}
		}
		publishing.Wait()
		for _, n := range nodes {
			n.wait(t, 100)
		}
		differ := false
		for i, e := range nodes[0].log() {
			differ = differ || string(e.Body) != string(nodes[2].log()[i].Body)
		}
		if !differ {
			t.Error("all nodes received all in one order")
		}
		for _, n := range nodes {
			for _, origin := range nodes[:2] {
				next := 0
				for _, e := range n.log() {
					if string(e.Body) == fmt.Sprint(string(origin.id), next) {
						next++
					}
				}
				if next != 50 {
					t.Errorf("the order of a publisher was broken behind %d messages", next)
				}
			}
		}
	})
}

// A question is not answered by nodes that are cut off, and waits for them only
// while they are not suspect.
func TestFaultyAsk(t *testing.T) {
	faulty(t, 2, func(t *testing.T, b *Faulty, nodes []*node) {
		a, c := nodes[0], nodes[1]
		b.Cut(c.id)
		for _, took := range []time.Duration{time.Second, 0} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			begin := time.Now()
			answers, missing := a.Ask(ctx, everyone, []byte("q"))
			if len(answers) != 1 || len(missing) != 1 || missing[0] != c.id || time.Since(begin) != took {
				t.Errorf("answers of %d nodes, missing %v after %v; want one of each after %v", len(answers), missing, time.Since(begin), took)
			}
			cancel()
			a.Publish(t.Context(), bus.Envelope{To: topicT}) // makes it suspect
		}
	})
}

// The faults of a seed are always the same.
func TestFaultySeed(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) (text string) {
		synctest.Test(t, func(t *testing.T) {
			b := NewFaulty(t, seed)
			nodes := cluster(t, b, 1, 1)
			b.SetLoss(0.5)
			begin := time.Now()
			for range 20 {
				receipt, err := nodes[0].Publish(t.Context(), bus.Envelope{To: topicT})
				text += fmt.Sprint(receipt.Nodes, err, time.Since(begin), " ")
				time.Sleep(quick) // a reply that is under way could come before or after the next envelope
			}
		})
		return text
	}
	if a, again, other := run(1), run(1), run(2); a != again || a == other {
		t.Errorf("seed 1: %s\nagain: %s\nseed 2: %s", a, again, other)
	}
}
