package realtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/loglimit"
	"boundary-app.org/realtime/internal/metrics"
	"boundary-app.org/realtime/internal/revocation"
	"boundary-app.org/realtime/wire"
)

// Service is one node: its connections, and its membership of the bus through
// which every message goes. Make it with New; end it with Shutdown.
type Service struct {
	// static after New
	opts    Options
	log     *slog.Logger
	peers   *loglimit.Kinds // lines that a remote peer can cause
	metrics *metrics.Set
	engine  *engine.Engine
	node    bus.Node
	life    *lifecycle

	published [bus.Topic + 1]prometheus.Counter // messages, by route; found once

	limits    atomic.Pointer[Limits]
	listeners listeners
	pending   pendingLimiter

	revoked *revocation.List
}

// New starts a service and joins its bus.
func New(opts Options) (*Service, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Service{opts: opts, log: opts.Log, life: newLifecycle()}
	s.peers = loglimit.NewKinds(opts.Log)
	s.metrics = metrics.New(s.TopicCount, s.SubscriptionCount, s.revocationCount)
	for route := bus.Everyone; route <= bus.Topic; route++ {
		s.published[route] = s.metrics.MessagesOut.WithLabelValues(route.String())
	}
	s.limits.Store(&opts.Limits)
	s.revoked = revocation.NewList(opts.TokenLifetime, opts.TokenLeeway)
	id := bus.NewNodeID()
	s.engine = engine.New(opts.engine(s.metrics, id, interest{s}))
	s.listeners.service = s
	s.node, err = opts.Bus.Join(s.life.callbacks, id, localNode{s})
	if err != nil {
		s.life.abort()
		s.engine.Stop()
		return nil, fmt.Errorf("realtime: join the bus: %w", err)
	}
	return s, nil
}

// Disconnect closes the connections an address names, on all nodes, with a
// close frame behind what was sent to them before, and tells how many there
// were. From its return on they are found nowhere and hear nothing. A code of
// zero is 4503, after which clients do not reconnect.
func (s *Service) Disconnect(ctx context.Context, to Address, code CloseCode, reason string) (Receipt, error) {
	setDefault(&code, CloseKicked)
	if err := to.check(); err != nil {
		return Receipt{}, fmt.Errorf("realtime: disconnect: %w", err)
	}
	if !code.Valid() {
		return Receipt{}, fmt.Errorf("realtime: disconnect: %d is not a close code that may be sent; use 4000-4999", code)
	}
	body, err := json.Marshal(closing{code, reason})
	if err != nil {
		return Receipt{}, fmt.Errorf("realtime: disconnect: %w", err)
	}
	return s.publishCommand(ctx, "disconnect", to, bus.Disconnect, body)
}

// publishCommand publishes an envelope that is not a message. What names the
// command in the error.
func (s *Service) publishCommand(ctx context.Context, what string, to Address, op bus.Op, body []byte) (Receipt, error) {
	receipt, err := s.publish(ctx, bus.Envelope{To: to.onBus(), Op: op, Body: body})
	if err != nil {
		return Receipt{}, fmt.Errorf("realtime: %s: %w", what, err)
	}
	return receipt, nil
}

// Subscribe subscribes the connections an address names to a topic, on all
// nodes, and tells how many there are. Idempotent. A connection that has as
// many topics as it may have is left out and not counted. What this node
// publishes from its return on reaches all of them, what other nodes publish those
// of this node; the others a moment later.
func (s *Service) Subscribe(ctx context.Context, to Address, topic string) (Receipt, error) {
	if err := errors.Join(to.check(), wire.CheckTopic(topic)); err != nil {
		return Receipt{}, fmt.Errorf("realtime: subscribe: %w", err)
	}
	receipt, err := s.publishCommand(ctx, "subscribe", to, bus.Subscribe, []byte(topic))
	s.known()
	return receipt, err
}

// Unsubscribe is the reverse of Subscribe.
func (s *Service) Unsubscribe(ctx context.Context, to Address, topic string) (Receipt, error) {
	if err := errors.Join(to.check(), wire.CheckTopic(topic)); err != nil {
		return Receipt{}, fmt.Errorf("realtime: unsubscribe: %w", err)
	}
	return s.publishCommand(ctx, "unsubscribe", to, bus.Unsubscribe, []byte(topic))
}

// UnsubscribeAll ends all subscriptions of the connections an address names.
func (s *Service) UnsubscribeAll(ctx context.Context, to Address) (Receipt, error) {
	if err := to.check(); err != nil {
		return Receipt{}, fmt.Errorf("realtime: unsubscribe all: %w", err)
	}
	return s.publishCommand(ctx, "unsubscribe all", to, bus.Unsubscribe, nil)
}

// Collector returns the service's metrics, to be registered with a Prometheus
// registry.
func (s *Service) Collector() prometheus.Collector { return s.metrics }

// Ready reports whether load balancers should send clients here: until Shutdown
// is called, and while the node reaches its bus. The service takes connections
// all the same, after Shutdown for DrainDelay.
func (s *Service) Ready() bool { return !s.life.leaving.Load() && s.node.Health() == nil }

// ConsistencyCheck holds against each other what the service keeps in more than
// one place about its connections, and returns an error that names each
// contradiction, which is a bug of this package. It is for tests and
// development: while it looks at the connections of a processor, nothing is sent
// to them. Safe for concurrent use; callbacks may call it.
func (s *Service) ConsistencyCheck() error { return s.engine.ConsistencyCheck() }
