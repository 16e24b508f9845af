package engine

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"boundary-app.org/realtime/internal/metrics"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// SlowPolicy says what becomes of a topic's messages on their way to a client
// that does not keep up.
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

// TopicRule gives topics a policy. Match is a topic's name, or a beginning of
// names followed by "*".
type TopicRule struct {
	Match string
	Slow  SlowPolicy
}

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

func policyFor(rules []TopicRule, topic string) SlowPolicy {
	for _, r := range rules {
		prefix, wildcard := strings.CutSuffix(r.Match, "*")
		if topic == r.Match || wildcard && strings.HasPrefix(topic, prefix) {
			return r.Slow
		}
	}
	return Disconnect
}

// lags reports whether a connection's socket has not taken what it was given.
func (c *Conn) lags() bool {
	return c.flags&flagArmed != 0 || c.out != nil && c.out.flying > 0
}

// supersede gives a connection that lags only the last message of a fanout, in
// place of what waits of its topic.
func (s *shard) supersede(c *Conn, f *fanout) {
	g, dropped := f.list.group, len(f.msgs)-1
	s.refill(c, func(_ int, ch chunk) []byte {
		if ch.of != g {
			return ch.data
		}
		dropped += countFrames(ch.data)
		return nil
	})
	s.drop(metrics.DropSuperseded, dropped)
	s.tally.deliveries++
	last := f.msgs[len(f.msgs)-1]
	if c.options&optDeflate != 0 {
		s.push(c, chunk{last.compressed(), g})
	} else {
		s.push(c, chunk{last.frame, g})
	}
}

// shed makes a backlog smaller as far as the policies of the topics in it allow.
func (s *shard) shed(c *Conn) {
	s.conflate(c)
	if s.excess(c) > 0 {
		s.dropOldest(c)
	}
}

// excess returns by how many octets a backlog is over its limit.
func (s *shard) excess(c *Conn) int {
	return c.out.size - c.out.flying - s.engine.cfg.MaxBacklog
}

// conflate leaves the last message of each topic of which only that counts.
func (s *shard) conflate(c *Conn) {
	last, dropped := map[*group]int{}, 0
	s.refill(c, func(i int, ch chunk) []byte {
		last[ch.of] = i
		return ch.data
	})
	s.refill(c, func(i int, ch chunk) []byte {
		if ch.of == nil || ch.of.slow != LatestOnly {
			return ch.data
		}
		keep := len(ch.data)
		if i == last[ch.of] {
			keep = lastFrame(ch.data)
		}
		if keep == 0 {
			return ch.data
		}
		dropped += countFrames(ch.data[:keep])
		return bytes.Clone(ch.data[keep:]) // the chunk need not be kept for its last frame
	})
	s.drop(metrics.DropSuperseded, dropped)
}

// dropOldest drops messages of topics that allow it until a backlog is within
// its limit, and an eighth more: a full one is then not searched for each message.
func (s *shard) dropOldest(c *Conn) {
	excess, dropped := s.excess(c)+s.engine.cfg.MaxBacklog/8, 0
	s.refill(c, func(_ int, ch chunk) []byte {
		for len(ch.data) > 0 && ch.of != nil && ch.of.slow == DropOldest && excess > 0 {
			n := frameLen(ch.data)
			ch.data = ch.data[n:]
			excess -= n
			dropped++
		}
		return ch.data
	})
	s.drop(metrics.DropOldest, dropped)
}

// refill replaces the data of each chunk that has not begun to be written, and
// leaves out those without any.
func (s *shard) refill(c *Conn, data func(i int, ch chunk) []byte) {
	begun := s.split(c)
	waiting := &c.out.chunks
	if c.state == opening {
		waiting = &c.out.held
	}
	kept := (*waiting)[:begun]
	for i, ch := range (*waiting)[begun:] {
		before := ch.cost()
		if ch.data = data(i, ch); len(ch.data) == 0 {
			s.resize(c, -before)
			continue
		}
		s.resize(c, ch.cost()-before)
		kept = append(kept, ch)
	}
	clear((*waiting)[len(kept):])
	*waiting = kept
}

// split parts the frame that is partly written from those behind it, and
// returns how many chunks have begun: they have to be written to their end.
func (s *shard) split(c *Conn) (begun int) {
	b := c.out
	if c.state == opening || b.off == 0 {
		return 0
	}
	first := b.chunks[0]
	if first.of == handshake {
		return 1
	}
	end := frameEnd(first.data, b.off)
	if end == b.off { // it stands between two frames
		b.chunks[0].data, b.off = first.data[end:], 0
		return 0
	}
	b.chunks[0] = chunk{data: first.data[:end:end]}
	if end < len(first.data) {
		b.chunks = slices.Insert(b.chunks, 1, chunk{first.data[end:], first.of})
		s.resize(c, chunkCost)
	}
	return 1
}

func (s *shard) drop(reason string, messages int) {
	if messages > 0 {
		s.engine.metrics.Drops.WithLabelValues(reason).Add(float64(messages))
	}
}

// tooSlow ends a connection whose backlog is full: it gets the rest of the
// frame that is half written, and a close frame in place of what waited.
func (s *shard) tooSlow(c *Conn) {
	dropped := 0
	s.refill(c, func(_ int, ch chunk) []byte {
		if ch.of == handshake {
			return ch.data
		}
		dropped += countFrames(ch.data)
		return nil
	})
	s.drop(metrics.DropTooSlow, dropped)
	s.closeNow(c, uint16(wire.CloseTooSlow), "too slow: the backlog is full")
}

// frameEnd returns where the frame that holds the octet before at ends.
func frameEnd(chunk []byte, at int) (end int) {
	for end < at {
		end += frameLen(chunk[end:])
	}
	return end
}

// lastFrame returns where the last frame of a chunk begins.
func lastFrame(chunk []byte) (at int) {
	for {
		next := at + frameLen(chunk[at:])
		if next >= len(chunk) {
			return at
		}
		at = next
	}
}

func countFrames(chunk []byte) (n int) {
	for len(chunk) > 0 {
		chunk = chunk[frameLen(chunk):]
		n++
	}
	return n
}

// frameLen returns the length of the first frame of a chunk of whole frames.
func frameLen(chunk []byte) int {
	header, payload, ok := socket.FrameLen(chunk)
	if !ok {
		return len(chunk)
	}
	return min(header+payload, len(chunk))
}
