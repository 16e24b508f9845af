package engine

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/metrics"
	"boundary-app.org/realtime/internal/socket"
)

// Config is fixed for an engine's life. All fields are required unless they say
// otherwise; the service fills in its defaults.
type Config struct {
	Node         bus.NodeID // optional: what the ids of connections begin with
	Shards       int        // 0: one per processor the program may use
	MaxMessage   int        // bytes of one message from a client
	MaxBacklog   int        // bytes that may wait for one connection
	MaxInbox     int        // bytes that may wait for one shard before Admit blocks
	PingInterval time.Duration
	PongTimeout  time.Duration
	CloseTimeout time.Duration
	ExpiryGrace  time.Duration
	Limits                   // at the start; see SetLimits
	Topics       []TopicRule // optional: the first that matches a topic counts
	Interest     Interest    // optional
	Metrics      *metrics.Set
	Log          *slog.Logger
	PingText     []byte // sent beside the ping to connections with TextPing
}

// Limits can be changed while the engine runs.
type Limits struct {
	Rate  float64 // messages, pings and pongs a second from one connection; 0: any number
	Burst int
	Caps  Caps // optional
}

// SetLimits changes the limits. It closes no connection: a cap that is lower than
// before refuses, or evicts for, new ones. A cap per source counts the connections
// that were registered while there was one.
func (e *Engine) SetLimits(l Limits) { e.limits.Store(&l) }

// Engine is the connections of one node. Safe for concurrent use.
type Engine struct {
	cfg     Config
	ids     ids
	limits  atomic.Pointer[Limits]
	metrics *metrics.Set
	log     *slog.Logger
	reader  socket.Config
	index   *index
	shards  []*shard
	start   time.Time
	wall    func() time.Time // the clock of tokens

	next          atomic.Uint32 // shard of the next connection
	count         atomic.Int64  // connections that can be sent to
	open          atomic.Int64  // connections whose socket is not closed yet
	subscriptions atomic.Int64

	evicting sync.Mutex    // held while a connection too many is sought
	turns    chan struct{} // has an entry for each message that is being inflated

	sockets sync.WaitGroup // the same as open, to be waited for
	workers sync.WaitGroup // call queues, readers, writers, pollers
	loops   sync.WaitGroup
}

// New starts the loops.
func New(cfg Config) *Engine { return newAt(cfg, time.Now(), time.Now) }

// newAt is New for an engine that has begun to count its ticks at start, and
// whose tokens go by the clock wall.
func newAt(cfg Config, start time.Time, wall func() time.Time) *Engine {
	if cfg.Shards <= 0 {
		cfg.Shards = runtime.GOMAXPROCS(0)
	}
	e := &Engine{
		cfg: cfg, ids: newIDs(cfg.Node), metrics: cfg.Metrics, log: cfg.Log,
		reader: socket.Config{MaxMessage: cfg.MaxMessage, KeepDeflated: true},
		index:  newIndex(cfg.Topics, cfg.Interest), start: start, wall: wall,
		turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), // the loops keep the other processors
	}
	e.SetLimits(cfg.Limits)
	for range cfg.Shards {
		s := newShard(e)
		e.shards = append(e.shards, s)
		e.loops.Go(s.loop)
	}
	return e
}

// Send writes a text message to the connections an address names and returns
// their number. It does not wait for the writes. The text is body followed by tail,
// the part of it that differs from address to address. Neither is kept.
func (e *Engine) Send(route bus.Route, target string, body []byte, tail ...byte) (recipients int) {
	if route == bus.Connection {
		if c := e.Find(target); c != nil && c.send(socket.OpText, body, tail) {
			return 1
		}
		return 0
	}
	return e.index.send(key{route, target}, newMessage(socket.OpText, body, tail, time.Now()))
}

// Admit waits while a shard has more to do than MaxInbox allows, until ctx is
// done at the latest. Who publishes calls it first, so that publishers that are
// faster than the sockets wait instead of filling the memory.
func (e *Engine) Admit(ctx context.Context) error {
	for _, s := range e.shards {
		if err := s.admit(ctx); err != nil {
			return fmt.Errorf("wait for the sockets to catch up: %w", err)
		}
	}
	return nil
}

// Find returns a connection by its id, nil when there is none.
func (e *Engine) Find(id string) *Conn {
	parsed, ok := ParseID(id)
	if !ok {
		return nil
	}
	return e.index.find(parsed)
}

// All calls yield with every connection.
func (e *Engine) All(yield func(*Conn) bool) { e.index.all(yield) }

// Count returns the number of connections.
func (e *Engine) Count() int { return int(e.count.Load()) }

// Open returns the number of connections whose socket is not closed yet.
func (e *Engine) Open() int { return int(e.open.Load()) }

// Subscriptions returns the number of subscriptions of all connections.
func (e *Engine) Subscriptions() int { return int(e.subscriptions.Load()) }

// MemberCount returns how many connections an address names.
func (e *Engine) MemberCount(route bus.Route, target string) int {
	return e.index.count(key{route, target})
}

// Groups calls yield with each group of a route and its number of members.
func (e *Engine) Groups(route bus.Route, yield func(name string, members int)) {
	e.index.names(route, yield)
}

// Members returns the connections an address names. It waits for the loops that
// have some; it must not be called by a loop.
func (e *Engine) Members(route bus.Route, target string) []*Conn {
	if route == bus.Connection {
		if c := e.Find(target); c != nil {
			return []*Conn{c}
		}
		return nil
	}
	return e.members(key{route, target})
}

func (e *Engine) members(k key) (members []*Conn) {
	for _, l := range e.index.lists(k) {
		members = append(members, l.shard.members(l)...)
	}
	return members
}

// WaitClosed waits until the sockets of all connections are closed, until ctx
// is done at the latest. No connection may be registered meanwhile.
func (e *Engine) WaitClosed(ctx context.Context) error {
	closed := make(chan struct{})
	e.workers.Go(func() {
		e.sockets.Wait() // ends at Stop at the latest
		close(closed)
	})
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop ends every connection that is left without a close frame, and returns
// when all goroutines of the engine have ended, handlers included. No method
// may be called after it; nothing is sent while it runs.
func (e *Engine) Stop() {
	for _, s := range e.shards {
		s.post(task{run: (*shard).stop})
	}
	e.loops.Wait()
	e.workers.Wait()
}
