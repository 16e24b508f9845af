package realtime

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/metrics"
	"boundary-app.org/realtime/wire"
)

// TopicRule gives the topics that it matches a SlowPolicy.
type TopicRule struct {
	// Match is a topic's name, or a beginning of names followed by "*".
	Match string
	Slow  SlowPolicy
}

// SlowPolicy says what the service does with a topic's messages to a client that does
// not keep up.
type SlowPolicy uint8

// The policies.
const (
	// Disconnect keeps them until Limits.Backlog is reached, and then closes the
	// connection with 4008. It is the default.
	Disconnect = SlowPolicy(engine.Disconnect)
	// DropOldest drops the topic's oldest messages when Limits.Backlog is reached.
	DropOldest = SlowPolicy(engine.DropOldest)
	// LatestOnly drops a message that still waits when a newer one of its topic
	// arrives: for state such as prices and positions.
	LatestOnly = SlowPolicy(engine.LatestOnly)
)

// Check returns an error that says what is wrong with the rule.
func (r TopicRule) Check() error {
	name, wildcard := strings.CutSuffix(r.Match, "*")
	if wildcard {
		name = strings.TrimSuffix(name, ":")
	}
	switch {
	case r.Match == "":
		return errors.New("a rule matches no topic: write a topic, or a beginning of topics and *")
	case r.Slow > LatestOnly:
		return fmt.Errorf("the rule for %q has the unknown policy %d", r.Match, r.Slow)
	case r.Match == "*":
		return nil
	}
	if err := wire.CheckTopic(name); err != nil {
		return fmt.Errorf("the rule for %q matches no topic: %w", r.Match, err)
	}
	return nil
}

func (r TopicRule) engine() engine.TopicRule {
	return engine.TopicRule{Match: r.Match, Slow: engine.SlowPolicy(r.Slow)}
}

func engineRules(rules []TopicRule) (converted []engine.TopicRule) {
	for _, r := range rules {
		converted = append(converted, r.engine())
	}
	return converted
}

// listenerQueue is how many messages may wait for one listener.
const listenerQueue = 4096

// OnTopic calls fn with every message published to a topic, on this node, once
// each and in order, on a goroutine that exists only while there is something
// to do. The listener counts as a recipient. An error or a panic of fn is
// logged and harms no other listener. A listener that falls more than 4,096 messages
// behind loses the newest ones; they are counted. The message is without the
// topic, so that it can be sent on. Stop ends the listener, is idempotent, and
// does not wait for a call that runs.
func (s *Service) OnTopic(topic string, fn func(ctx context.Context, m Message) error) (stop func(), err error) {
	if err := wire.CheckTopic(topic); err != nil {
		return nil, fmt.Errorf("realtime: on topic: %w", err)
	}
	l := &listener{service: s, topic: topic, fn: fn}
	s.listeners.add(l)
	s.known()
	return func() { s.listeners.remove(l) }, nil
}

// listeners are the in-process subscribers of topics.
type listeners struct {
	service *Service
	running sync.WaitGroup

	mu      sync.Mutex
	byTopic map[string][]*listener // guarded by mu; the slices are never changed
}

type listener struct {
	service *Service
	topic   string
	fn      func(context.Context, Message) error

	mu      sync.Mutex
	queue   [][]byte // guarded by mu
	working bool     // guarded by mu
	stopped bool     // guarded by mu
}

func (ls *listeners) add(l *listener) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.byTopic == nil {
		ls.byTopic = map[string][]*listener{}
	}
	if ls.byTopic[l.topic] == nil {
		ls.service.node.Want(Topic(l.topic).onBus())
	}
	ls.byTopic[l.topic] = append(slices.Clip(ls.byTopic[l.topic]), l)
}

func (ls *listeners) remove(l *listener) {
	l.mu.Lock()
	l.stopped = true
	l.queue = nil
	l.mu.Unlock()

	ls.mu.Lock()
	defer ls.mu.Unlock()
	all := ls.byTopic[l.topic]
	rest := slices.DeleteFunc(slices.Clone(all), func(other *listener) bool { return other == l })
	switch {
	case len(rest) == len(all): // removed before
	case len(rest) > 0:
		ls.byTopic[l.topic] = rest
	default:
		delete(ls.byTopic, l.topic)
		ls.service.node.Drop(Topic(l.topic).onBus())
	}
}

// deliver queues a message for a topic's listeners and returns how many took it.
func (ls *listeners) deliver(topic string, body []byte) (n int) {
	ls.mu.Lock()
	found := ls.byTopic[topic]
	ls.mu.Unlock()
	for _, l := range found {
		if l.offer(body) {
			n++
		}
	}
	return n
}

func (l *listener) offer(body []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false
	}
	if len(l.queue) >= listenerQueue {
		l.service.metrics.Drops.WithLabelValues(metrics.DropListener).Inc()
		return false
	}
	l.queue = append(l.queue, body)
	if !l.working {
		l.working = true
		l.service.listeners.running.Go(l.work)
	}
	return true
}

func (l *listener) work() {
	done := false
	defer func() {
		if !done { // fn has ended its goroutine (runtime.Goexit)
			l.service.metrics.CallbackPanics.Inc()
			l.service.log.Error("a listener failed", "topic", l.topic, "error", panicText(nil), "stack", string(debug.Stack()))
			l.service.listeners.running.Go(l.work)
		}
	}()
	for {
		body, ok := l.take()
		if !ok {
			done = true
			return
		}
		if err := l.call(body); err != nil {
			l.service.peers.Of(kindListener).Error("a listener failed", "topic", l.topic, "error", err)
		}
	}
}

func (l *listener) take() (body []byte, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		l.working = false
		return nil, false
	}
	body = l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	return body, true
}

func (l *listener) call(body []byte) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			l.service.metrics.CallbackPanics.Inc()
			err = fmt.Errorf("it panicked: %v\n%s", reason, debug.Stack())
		}
	}()
	m, err := wire.Delivered(body)
	if err != nil {
		return err
	}
	return l.fn(l.service.life.cleanup, m)
}
