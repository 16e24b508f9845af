package realtime

import (
	"errors"
	"fmt"
)

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
