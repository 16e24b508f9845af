package engine

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/metrics"
)

var slowRules = []TopicRule{{Match: "latest*", Slow: LatestOnly}, {Match: "oldest", Slow: DropOldest}}

// TestSlowPoliciesAgainstModel sends at random to topics of all policies, past a
// client that does not read until the end: whatever the kernel, the loop and the
// writers do meanwhile, it then gets messages in the order they were sent, all
// that may not be dropped, and the last of each topic.
func TestSlowPoliciesAgainstModel(t *testing.T) {
	t.Parallel()
	for _, way := range paths {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(2) {
				runSlowModel(t, way, rand.New(rand.NewPCG(seed, 7)))
			}
		})
	}
}

func runSlowModel(t *testing.T, way path, random *rand.Rand) {
	const limit, rounds = 1 << 20, 1000
	e := newEngine(t, func(c *Config) { c.Topics, c.MaxBacklog = slowRules, limit })
	slow, good := newPeer(), newPeer()
	read := slow.closeGate(t)
	register(t, e, way, slow, "slow")
	register(t, e, way, good, "good")
	topics := []string{"latest:1", "latest:2", "oldest"}
	for _, topic := range topics {
		for _, p := range []*peer{slow, good} {
			if _, err := p.Subscribe(topic, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	last, kept := map[string]string{}, []string{}
	for i := range rounds {
		topic := topics[random.IntN(len(topics))]
		text := fmt.Sprintf("%s %06d %s", topic, i, noise(random.IntN(32<<10)))
		e.Send(bus.Topic, topic, []byte(text))
		last[topic] = text
		if i%200 == 0 {
			text = fmt.Sprintf("own %06d", i)
			e.Send(bus.User, "slow", []byte(text))
			kept = append(kept, text)
		}
		if random.IntN(4) > 0 { // else they may be joined
			e.Members(bus.Everyone, "")
			if waiting := gauge(t, e.metrics.BacklogBytes); waiting > (2*kernelShare+1)*limit {
				t.Fatalf("%v bytes wait", waiting)
			}
			consistent(t, e)
		}
	}
	read()
	slow.Conn.Close(1000, "")
	good.Conn.Close(1000, "")
	checkSlow(t, slow.log()[1:], last, kept)
	good.log()
}

func checkSlow(t *testing.T, got []string, last map[string]string, kept []string) {
	t.Helper()
	number := ""
	for _, text := range got {
		topic, rest, _ := strings.Cut(text, " ")
		if rest[:6] < number || rest[:6] == number && topic != "own" {
			t.Fatalf("%s came after %s", rest[:6], number)
		}
		number = rest[:6]
	}
	for topic, text := range last {
		if !slices.Contains(got, text) {
			t.Errorf("the last message of %s did not come", topic)
		}
	}
	for _, text := range kept {
		if !slices.Contains(got, text) {
			t.Errorf("%q did not come", text)
		}
	}
}

// TestSlowPolicyOfJoinedMessages has a fast burst be joined into chunks while
// the client does not read, so that chunks are cut within.
func TestSlowPolicyOfJoinedMessages(t *testing.T) {
	t.Parallel()
	for _, way := range paths {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			const limit, bursts, burst = 256 << 10, 60, 64
			e := newEngine(t, func(c *Config) { c.Topics, c.MaxBacklog, c.MaxInbox = slowRules, limit, 64<<20 })
			p := newPeer()
			read := p.closeGate(t)
			register(t, e, way, p, "u")
			for _, topic := range []string{"latest", "oldest"} {
				_, _ = p.Subscribe(topic, 0)
			}
			last := map[string]string{}
			for i := range bursts {
				release := stall(e)
				for j := range burst {
					topic := []string{"latest", "oldest"}[i%2]
					last[topic] = fmt.Sprintf("%s %06d %s", topic, i*burst+j, noise(6000))
					e.Send(bus.Topic, topic, []byte(last[topic]))
				}
				release()
				consistent(t, e)
			}
			read()
			p.Conn.Close(1000, "")
			got := p.log()[1:]
			checkSlow(t, got, last, nil)
			dropped := int(counted(t, e, metrics.DropSuperseded) + counted(t, e, metrics.DropOldest))
			if sent := bursts * burst; dropped == 0 || dropped+len(got) != sent {
				t.Errorf("%d of %d messages came, %d were dropped", len(got), sent, dropped)
			}
		})
	}
}

// A message that is the only one of its topic is not dropped for other topics.
func TestDropOldestKeepsTheNewestOfEachTopic(t *testing.T) {
	t.Parallel()
	for _, way := range paths {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, func(c *Config) {
				c.Topics, c.MaxBacklog = []TopicRule{{Match: "*", Slow: DropOldest}}, 256<<10
			})
			p := newPeer()
			read := p.closeGate(t)
			register(t, e, way, p, "u")
			for _, topic := range []string{"alarm", "flood"} {
				_, _ = p.Subscribe(topic, 0)
			}
			last := map[string]string{}
			say := func(topic string, n, size int) {
				last[topic] = fmt.Sprintf("%s %06d %s", topic, n, noise(size))
				e.Send(bus.Topic, topic, []byte(last[topic]))
			}
			for n := range 600 {
				if n == 300 {
					say("alarm", n, 10)
				} else {
					say("flood", n, 32<<10)
				}
				if n%8 == 0 {
					consistent(t, e)
				}
			}
			read()
			p.Conn.Close(1000, "")
			checkSlow(t, p.log()[1:], last, nil)
		})
	}
}

var letters = func() string {
	b := make([]byte, 48<<10)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	return base64.StdEncoding.EncodeToString(b)
}()

// noise is text that deflate cannot make much shorter.
func noise(n int) string { return letters[:n] }

// gauge returns the value of a gauge or counter.
func gauge(t *testing.T, m prometheus.Collector) (value float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(m)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[0].GetMetric() {
		value += m.GetGauge().GetValue() + m.GetCounter().GetValue()
	}
	return value
}

func counted(t *testing.T, e *Engine, reason string) float64 {
	t.Helper()
	return gauge(t, e.metrics.Drops.WithLabelValues(reason).(prometheus.Collector))
}
