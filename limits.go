package realtime

import (
	"errors"
	"fmt"

	"boundary-app.org/realtime/internal/engine"
)

// Limits bound what connections may use. Zero values are the defaults.
type Limits struct {
	// MessageSize is the longest message in bytes, from clients and to them.
	// Default: 64 KiB.
	MessageSize int
	// Backlog is how many bytes may wait for a connection whose client does
	// not read. One more, and it is closed with 4008. Off plain TCP (TLS, own
	// transports) it may be four times as much for as long as the client takes
	// 64 KiB in 200 ms, since there the kernel's buffer fills up in time.
	// Default: 1 MiB.
	Backlog int
	// Topics is how many topics a connection may be subscribed to. A client that
	// goes on asking for more is closed with 4505. Default: 128.
	Topics int
	// MessageRate is how many messages, pings and pongs a second a client may send in
	// the long run, MessageBurst how many at once; beyond, it is closed with
	// 4013. A message counts as one for every 512 bytes that it has begun, as inflated,
	// or for every 32 bytes of its compressed form, where that is more; 16 fragments
	// before the last of a message count as one.
	// Defaults: 1,000 and 2,000; a negative rate means no limit.
	MessageRate  float64
	MessageBurst int
	// Connections is how many connections a node takes: beyond, requests are
	// answered with 503. ConnectionsPerUser and ConnectionsPerAddress are how many
	// a node takes of one user and from one network address (of IPv6: one /64);
	// beyond, EvictOldest and RejectNewest decide. Requests that have no address, as
	// those from a Unix socket, count as from one. Zero means no limit.
	Connections           int
	ConnectionsPerUser    int
	ConnectionsPerAddress int
	// EvictOldest and RejectNewest say what happens to a connection over the limit
	// of its user or address; set one of them for both limits. EvictOldest closes the
	// oldest with 4504, which tells its client to stop. RejectNewest answers 429 with
	// Retry-After; clients of the subprotocol get $closing with a delay, and 4504.
	// Default: the oldest of a user is evicted, since it may be what is left of a
	// client that has lost its network; of an address, where connections are of many
	// users, the newest is rejected.
	EvictOldest  bool
	RejectNewest bool
}

// frameCost is what a waiting message costs besides its text, at the most.
const frameCost = 64

// Limits returns the limits in force, with the defaults filled in.
func (s *Service) Limits() Limits { return *s.limits.Load() }

// SetLimits changes the limits of a running service, where zero values are the
// defaults as in Options. It returns an error, and changes nothing, when a value
// is not allowed, or when MessageSize or Backlog differ from those of New, which
// last as long as the service.
//
// The rate and the burst count for all connections from their next message on,
// and the number of topics from the next subscription on: a connection that has
// more keeps them. Limits of connections count for new ones: none is closed
// because a limit became lower, but where the oldest are evicted, the next
// connection of a user or address closes as many of them as are too many. A limit
// per address counts the connections that were made while there was one.
//
// Safe for concurrent use; it does not block.
func (s *Service) SetLimits(l Limits) error {
	l = l.withDefaults()
	if err := l.check(); err != nil {
		return err
	}
	if first := s.opts.Limits; l.MessageSize != first.MessageSize || l.Backlog != first.Backlog {
		return fmt.Errorf("realtime: set limits: MessageSize and Backlog stay as they were given to New, %d and %d bytes",
			first.MessageSize, first.Backlog)
	}
	s.limits.Store(&l)
	s.engine.SetLimits(l.engine())
	return nil
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.MessageSize, 64<<10)
	setDefault(&l.Backlog, 1<<20)
	setDefault(&l.Topics, 128)
	setDefault(&l.MessageRate, 1000)
	setDefault(&l.MessageBurst, 2000)
	l.MessageRate = max(l.MessageRate, 0)
	return l
}

func (l Limits) engine() engine.Limits {
	return engine.Limits{Rate: l.MessageRate, Burst: l.MessageBurst, Caps: engine.Caps{
		Total: l.Connections, PerUser: l.ConnectionsPerUser, PerSource: l.ConnectionsPerAddress,
		EvictUser: !l.RejectNewest, EvictSource: l.EvictOldest,
	}}
}

func (l Limits) check() error {
	err := checkNotNegative([]option{
		{"Limits.MessageSize", l.MessageSize},
		{"Limits.Backlog", l.Backlog},
		{"Limits.Topics", l.Topics},
		{"Limits.MessageBurst", l.MessageBurst},
		{"Limits.Connections", l.Connections},
		{"Limits.ConnectionsPerUser", l.ConnectionsPerUser},
		{"Limits.ConnectionsPerAddress", l.ConnectionsPerAddress},
	})
	if err != nil {
		return err
	}
	if l.Backlog < l.MessageSize+frameCost {
		return fmt.Errorf("realtime: Limits.Backlog (%d) must be at least Limits.MessageSize (%d) and %d: else no message of that size could wait",
			l.Backlog, l.MessageSize, frameCost)
	}
	if l.EvictOldest && l.RejectNewest {
		return errors.New("realtime: Limits.EvictOldest and Limits.RejectNewest are both set; set one, or none for the default")
	}
	return nil
}

// option is the name of an option and its value.
type option struct {
	name  string
	value int
}

func checkNotNegative(options []option) error {
	for _, o := range options {
		if o.value < 0 {
			return fmt.Errorf("realtime: %s is negative; leave it zero for the default", o.name)
		}
	}
	return nil
}

func setDefault[T comparable](value *T, preset T) {
	var zero T
	if *value == zero {
		*value = preset
	}
}
