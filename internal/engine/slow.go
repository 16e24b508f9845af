package engine

import (
	"time"

	"boundary-app.org/realtime/internal/metrics"
	"boundary-app.org/realtime/wire"
)

// SlowPolicy is what happens to a topic's messages for a client that does not keep up.
type SlowPolicy uint8

// The policies.
const (
	// Disconnect keeps all messages until the backlog is full, and then closes
	// the connection with 4008.
	Disconnect SlowPolicy = iota
	// DropOldest drops the topic's oldest messages when the backlog is full.
	DropOldest
	// LatestOnly drops a message that still waits when a newer one of its topic
	// arrives.
	LatestOnly
)

// TopicRule gives topics a policy. Match is the name of a topic, or a prefix of names
// followed by "*".
type TopicRule struct {
	Match string
	Slow  SlowPolicy
}

func policyFor(rules []TopicRule, topic string) SlowPolicy {
	for _, r := range rules {
		if wire.MatchTopic(r.Match, topic) {
			return r.Slow
		}
	}
	return Disconnect
}

// lagTime is how long the backlog of a connection must have existed before messages
// of latest-only topics are dropped: a burst that the socket soon takes is no lag.
const lagTime = 100 * time.Millisecond

func (s *shard) lags(c *Conn) bool { return c.state.writes() && s.waits(c, lagTime) }

// waits reports whether the connection has had a backlog for so long.
func (s *shard) waits(c *Conn, long time.Duration) bool {
	return c.out != nil && s.tick()-c.out.since >= ticks(long)
}

// supersede queues only the last message of a fanout, and drops the messages of its
// topic that wait. The connection lags.
func (s *shard) supersede(c *Conn, f *fanout) {
	last := len(f.msgs) - 1
	dropped := c.out.replace(chunk{c.frameOf(f.msgs[last]), f.list.group})
	s.drop(metrics.DropSuperseded, last+dropped)
	s.tally.deliveries++
	s.markDirty(c)
	s.enforceLimit(c)
}

// trimBacklog makes a full backlog smaller by the policies of its topics, and returns
// whether that is enough.
func (s *shard) trimBacklog(c *Conn) (enough bool) {
	superseded, oldest, enough := c.out.trim(s.engine.cfg.MaxBacklog)
	s.drop(metrics.DropSuperseded, superseded)
	s.drop(metrics.DropOldest, oldest)
	return enough
}

// tooSlow ends a connection whose backlog is full. All that waits is dropped but the
// rest of the frame that is half written; a close frame with 4008 follows it.
func (s *shard) tooSlow(c *Conn) {
	s.drop(metrics.DropTooSlow, c.out.dropAll())
	s.abort(c, uint16(wire.CloseTooSlow), "too slow: the backlog is full")
}

func (s *shard) drop(reason string, messages int) {
	if messages > 0 {
		s.engine.metrics.Drops.WithLabelValues(reason).Add(float64(messages))
	}
}
