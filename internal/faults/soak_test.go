package faults_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/faultproxy"
	"boundary-app.org/realtime/internal/faults"
)

var (
	soakMessages = flag.Int64("soak", 30_000, "messages that TestSoak sends, at least")
	soakDuration = flag.Duration("duration", 0, "how long TestSoak sends, at least")
	soakSeed     = flag.Uint64("seed", 0, "seed of TestSoak's faults; 0: one of its own, which is logged")
)

const (
	soakers    = 40 // subscribers
	publishers = 4
	soakTopics = 20
	// round is how many messages a publisher sends before it waits for those
	// whose connections are whole: nobody else may be too slow.
	round = 250
	// between is how many octets a connection lives through, at the most.
	between = 300_000
	// report is how often the soak says how it goes.
	report = 10 * time.Second
)

// Messages go out for as long as asked while connections are cut, reset,
// stalled and swallowed at random octets, and come again. What arrives is whole,
// in order and once; within a connection's life nothing is missing, and none
// ends by itself. Afterwards everything is back to where it was. Not parallel:
// it counts the process's goroutines.
//
//	go test -run TestSoak -v -timeout 0 ./internal/faults -soak 1000000 -duration 10m
func TestSoak(t *testing.T) {
	if *soakSeed == 0 {
		*soakSeed = rand.Uint64()
	}
	t.Logf("seed %d", *soakSeed)
	s := newSoak(t)
	s.warm()
	before := steady(t)
	s.run()
	s.settle()
	steady(t).wantsBack(t, before)
	s.wantsNobody()
	for _, sub := range s.subs {
		wantsNothingWrong(t, sub.log)
	}
	t.Log(s.summary())
}

// soak is a node under soak, with its subscribers.
type soak struct {
	*node
	subs  []*soaker
	begun time.Time

	sent     atomic.Int64
	lives    atomic.Int64
	received atomic.Int64
	injected [faultproxy.Reset + 1]atomic.Int64 // connections, by what broke them
	final    atomic.Pointer[faults.Marks]       // what the last connections must have got

	mu      sync.Mutex
	changed chan struct{} // guarded by mu; closed when a subscriber has got on or ended
}

func newSoak(t *testing.T) *soak {
	opts := realtime.Options{PingInterval: 300 * time.Millisecond, PongTimeout: slack}
	s := &soak{node: start(t, opts, realtime.HandlerOptions{}), begun: time.Now(), changed: make(chan struct{})}
	for i := range soakers {
		s.subs = append(s.subs, newSoaker(s, i))
	}
	return s
}

func unbroken(*soaker) faultproxy.Plan { return faultproxy.Plan{} }

// warm lets everything happen once, so that what is kept for good is there.
func (s *soak) warm() {
	stop := s.connectAll(unbroken)
	s.awaitWhole()
	s.publisher(0).round()
	stop()
}

// run sends, through faults.
func (s *soak) run() {
	stop := s.connectAll((*soaker).plan)
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	var reporting, sending sync.WaitGroup
	reporting.Go(func() { s.reportUntil(ctx) })
	for i := range publishers {
		sending.Go(func() {
			p := s.publisher(i + 1)
			for s.sent.Load() < *soakMessages || time.Since(s.begun) < *soakDuration {
				p.round()
			}
		})
	}
	sending.Wait()
	cancel()
	reporting.Wait()
}

// settle has everybody connect without faults, and hear one round more, to the
// last message.
func (s *soak) settle() {
	stop := s.connectAll(unbroken)
	s.awaitWhole()
	s.publisher(0).round()
	final := faults.Marks{}
	for _, sub := range s.subs {
		maps.Copy(final, s.ledger.Marks(sub.streams...))
	}
	s.final.Store(&final)
	stop()
}

func (s *soak) awaitWhole() {
	becomes(s.t, "all are connected", func() bool {
		return !slices.ContainsFunc(s.subs, func(sub *soaker) bool { return !sub.whole() })
	})
}

// connectAll has all subscribers connect, again and again, until stop is called.
func (s *soak) connectAll(plan func(*soaker) faultproxy.Plan) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, sub := range s.subs {
		running.Go(func() {
			for ctx.Err() == nil {
				sub.live(ctx, plan(sub))
			}
		})
	}
	return func() {
		cancel()
		running.Wait()
	}
}

func (s *soak) reportUntil(ctx context.Context) {
	ticker := time.NewTicker(report)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.t.Log(s.summary())
		case <-ctx.Done():
			return
		}
	}
}

func (s *soak) summary() string {
	text := fmt.Sprintf("%.0f s: %d sent, %d received, %d connections;",
		time.Since(s.begun).Seconds(), s.sent.Load(), s.received.Load(), s.lives.Load())
	for a := faultproxy.Stall; a <= faultproxy.Reset; a++ {
		text += fmt.Sprintf(" %v %d,", a, s.injected[a].Load())
	}
	return text + " " + measure().String()
}

// tell wakes who waits for subscribers.
func (s *soak) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *soak) change() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// soakPublisher sends to random addresses. It belongs to one goroutine.
type soakPublisher struct {
	*soak
	index int
	name  string
	rand  *rand.Rand
}

func (s *soak) publisher(index int) *soakPublisher {
	return &soakPublisher{s, index, fmt.Sprint("publisher-", index), rand.New(rand.NewPCG(*soakSeed, uint64(index)))}
}

// round sends messages to some and one to everyone, and waits until every
// subscriber whose connection is whole has heard that: its publisher's messages
// before it have then come too.
func (p *soakPublisher) round() {
	for range round {
		sub := p.subs[p.rand.IntN(soakers)]
		to := realtime.Topic(sub.topic)
		if p.rand.IntN(10) == 0 {
			to = realtime.User(sub.name)
		}
		p.publish(to, p.name, 80+p.rand.IntN(300))
	}
	last := p.publish(realtime.Everyone(), p.name, 100)
	p.sent.Add(round + 1)
	p.await(last.Seq)
}

// await waits until half the subscribers have whole connections, and none of
// those is behind.
func (p *soakPublisher) await(seq uint64) {
	timeout := time.After(patience)
	faulted := time.NewTicker(10 * time.Millisecond) // the proxy does not tell when it breaks something
	defer faulted.Stop()
	for {
		changed := p.change()
		whole, behind := p.standing(seq)
		if whole >= soakers/2 && behind == "" {
			return
		}
		select {
		case <-changed:
		case <-faulted.C:
		case <-timeout:
			p.t.Errorf("%d connections are whole; message %d of %s is missing at %q", whole, seq, p.name, behind)
			return
		}
	}
}

// standing returns how many subscribers have a whole connection, and the name
// of one that has not heard a message, if there is one.
func (p *soakPublisher) standing(seq uint64) (whole int, behind string) {
	for _, sub := range p.subs {
		if !sub.whole() {
			continue
		}
		whole++
		if sub.heard[p.index].Load() < seq {
			behind = sub.name
		}
	}
	return whole, behind
}
