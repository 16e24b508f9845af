package engine

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
		if wire.MatchTopic(r.Match, topic) {
			return r.Slow
		}
	}
	return Disconnect
}

// lagTime is how long something must have waited for a connection before its
// latest-only topics leave messages out: a burst that the socket takes by and by
// is no lag.
const lagTime = 100 * time.Millisecond

func (s *shard) lags(c *Conn) bool { return c.state.writes() && s.waits(c, lagTime) }

// waits reports whether something has waited for a connection for so long.
func (s *shard) waits(c *Conn, long time.Duration) bool {
	return c.out != nil && s.tick()-c.out.since >= ticks(long)
}

// spare is how many more topics than chunks a backlog may know before those whose
// message has left are forgotten.
const spare = 64

// supersede gives a connection that lags only the last message of a fanout, in
// place of what waits of its topic.
func (s *shard) supersede(c *Conn, f *fanout) {
	b, g, dropped := c.out, f.list.group, len(f.msgs)-1
	if b.latest == nil {
		b.latest = map[*group]int{}
		s.conflate(c)
	}
	if len(b.latest) > 2*len(b.chunks)+spare { // most of it has been written
		b.find()
	}
	if at, waits := b.latest[g]; waits && s.kill(c, at-b.left) {
		dropped++
	}
	s.drop(metrics.DropSuperseded, dropped)
	s.tally.deliveries++
	b.latest[g] = b.left + len(b.chunks)
	s.push(c, chunk{c.frameOf(f.msgs[len(f.msgs)-1]), g})
}

// kill takes the message out of a chunk that has not begun to be written. The
// chunk stays, so that no other has to be moved, until half of all are dead.
func (s *shard) kill(c *Conn, i int) (done bool) {
	b := c.out
	if i < 0 || i == 0 && b.off > 0 {
		return false
	}
	s.resize(c, -b.chunks[i].cost())
	b.chunks[i].data = nil
	b.dead++
	for len(b.chunks) > 0 && b.chunks[0].data == nil {
		b.pop()
	}
	if b.dead > len(b.chunks)/2 {
		s.refill(c, func(_ int, ch chunk) []byte { return ch.data })
	}
	return true
}

// cheap is how many chunks may be searched for each message.
const cheap = 256

// shed makes a full backlog smaller as far as the policies of the topics in it
// allow. It returns false when that is not enough, or so little that a backlog
// of many chunks would soon be searched again, to the harm of the neighbours.
func (s *shard) shed(c *Conn) (enough bool) {
	before, many := c.out.size, len(c.out.chunks)+len(c.out.held) > cheap
	s.conflate(c)
	s.dropOldest(c)
	return s.excess(c) <= 0 && (!many || before-c.out.size >= s.engine.cfg.MaxBacklog/8)
}

// excess returns by how many octets a backlog is over its limit.
func (s *shard) excess(c *Conn) int {
	return c.out.size - c.out.flying - s.engine.cfg.MaxBacklog
}

// newest returns the last chunk of each group.
func (s *shard) newest(c *Conn) map[*group]int {
	last := map[*group]int{}
	s.refill(c, func(i int, ch chunk) []byte {
		last[ch.of] = i
		return ch.data
	})
	return last
}

// conflate leaves the last message of each topic of which only that counts.
func (s *shard) conflate(c *Conn) {
	last, dropped := s.newest(c), 0
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

// dropOldest drops messages of topics that allow it, but not the newest of any,
// until a backlog is an eighth below its limit.
func (s *shard) dropOldest(c *Conn) {
	last, dropped := s.newest(c), 0
	excess := s.excess(c) + s.engine.cfg.MaxBacklog/8
	s.refill(c, func(i int, ch chunk) []byte {
		if ch.of == nil || ch.of.slow != DropOldest {
			return ch.data
		}
		end := len(ch.data)
		if i == last[ch.of] {
			end = lastFrame(ch.data)
		}
		at := 0
		for at < end && excess > 0 {
			n := frameLen(ch.data[at:])
			at += n
			excess -= n
			dropped++
		}
		return ch.data[at:]
	})
	s.drop(metrics.DropOldest, dropped)
}

// refill replaces the data of each chunk that has not begun to be written, and
// leaves out those without any.
func (s *shard) refill(c *Conn, data func(i int, ch chunk) []byte) {
	b := c.out
	b.chunks = slices.DeleteFunc(b.chunks, func(ch chunk) bool { return ch.data == nil })
	b.dead = 0
	begun := s.split(c)
	waiting := &b.chunks
	if c.state.holdsBack() {
		waiting = &b.held
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
	b.find()
}

// find notes anew where the messages of latest-only topics are, where that is
// known at all.
func (b *backlog) find() {
	if b.latest == nil {
		return
	}
	clear(b.latest)
	for i, ch := range b.chunks {
		if ch.of != nil && ch.of.slow == LatestOnly {
			b.latest[ch.of] = b.left + i
		}
	}
}

// split parts the frame that is partly written from those behind it, and
// returns how many chunks have begun: they have to be written to their end.
func (s *shard) split(c *Conn) (begun int) {
	b := c.out
	if c.state.holdsBack() || b.off == 0 {
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
	s.drop(metrics.DropTooSlow, s.cut(c))
	s.closeNow(c, uint16(wire.CloseTooSlow), "too slow: the backlog is full")
}

// cut drops all messages that have not begun to be written.
func (s *shard) cut(c *Conn) (dropped int) {
	s.refill(c, func(_ int, ch chunk) []byte {
		if ch.of == handshake {
			return ch.data
		}
		dropped += countFrames(ch.data)
		return nil
	})
	return dropped
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
