package engine

import (
	"hash/maphash"
	"strings"
	"sync"

	"boundary-app.org/realtime/bus"
)

const stripes = 128

// key names a group: everyone, one user's connections, one role's, one topic's.
type key struct {
	route bus.Route
	name  string
}

// index finds groups and connections by name. Safe for concurrent use.
type index struct {
	seed     maphash.Seed
	rules    []TopicRule
	interest Interest // nil: none
	groups   [stripes]groupStripe
	conns    [stripes]connStripe
}

type groupStripe struct {
	mu      sync.Mutex
	groups  table[*group]
	changes uint64 // joins and leaves
}

func newIndex(rules []TopicRule, interest Interest) *index {
	return &index{seed: maphash.MakeSeed(), rules: rules, interest: interest}
}

func (x *index) sum(k key) uint32 { return uint32(maphash.String(x.seed, k.name)) + uint32(k.route) }

// stripe goes by the high bits of the hash; the stripe's table by the low ones.
func (x *index) stripe(sum uint32) *groupStripe { return &x.groups[sum>>25%stripes] }

// find returns a group. Called under the stripe's lock.
func (s *groupStripe) find(sum uint32, k key) *group {
	return s.groups.find(sum, func(g *group) bool { return g.route == k.route && g.name == k.name })
}

// join counts c into the group, in exchange for so many reserved places, and posts the
// membership to c's shard. Replay, unless nil, returns messages that c is given ahead of
// those that are sent to the group from now on. It is called under the stripe's lock, so
// that nothing is sent between what it has seen and the membership.
func (x *index) join(k key, c *Conn, reserved int32, replay func() []*message) *list {
	s, sum := x.at(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	g := x.group(s, sum, k)
	l := g.listOf(c.shard)
	if l.n == 0 && !g.wanted() {
		x.added(g)
	}
	l.n++
	l.reserved -= reserved
	s.changes++
	joined := task{run: (*shard).join, conn: c, list: l}
	if replay != nil {
		joined.arg = replay()
	}
	c.shard.post(joined)
	return l
}

// keep has a group stay in the index, and be of interest, without members; without kept
// it goes with its last member again.
func (x *index) keep(k key, kept bool) {
	s, sum := x.at(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	g := x.group(s, sum, k)
	before := g.wanted()
	g.kept = kept
	switch after := g.wanted(); {
	case after && !before:
		x.added(g)
	case before && !after:
		x.removed(g)
	}
	s.tidy(g)
}

// at returns where a group is, or would be.
func (x *index) at(k key) (s *groupStripe, sum uint32) {
	sum = x.sum(k)
	return x.stripe(sum), sum
}

// group returns a group, which is made when there is none. Called under the
// stripe's lock.
func (x *index) group(s *groupStripe, sum uint32, k key) *group {
	g := s.find(sum, k)
	if g == nil {
		g = &group{route: k.route, sum: sum, name: k.name}
		if k.route == bus.Topic || k.route == bus.Role {
			g.name = strings.Clone(k.name) // it may be a piece of a large buffer
		}
		if k.route == bus.Topic {
			g.slow = policyFor(x.rules, k.name)
		}
		s.groups.add(g)
	}
	return g
}

// reserve takes a place in a group of at most limit, for a connection that will
// join on a shard. It returns false when there is none. With evict, only other
// reserved places stand in the way: members make room.
func (x *index) reserve(k key, on *shard, limit int, evict bool) bool {
	s, sum := x.at(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.find(sum, k); g != nil {
		taken := g.reserved()
		if !evict {
			taken += g.count()
		}
		if taken >= limit {
			return false
		}
	}
	x.group(s, sum, k).listOf(on).reserved++
	return true
}

// release gives back what reserve took.
func (x *index) release(k key, on *shard) {
	s, sum := x.at(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.find(sum, k)
	l := g.listOf(on)
	l.reserved--
	g.tidy(l)
	s.tidy(g)
}

// leave takes one member off the list's count. A list without members is
// dropped from the index, a group that is not kept goes with its last list; the loop
// still has the old list for what was sent to it before. The task is posted in the
// order of the group's messages.
func (x *index) leave(l *list, then task) {
	g := l.group
	s := x.stripe(g.sum)
	s.mu.Lock()
	defer s.mu.Unlock()
	l.n--
	s.changes++
	if l.n == 0 && !g.wanted() {
		x.removed(g)
	}
	g.tidy(l)
	s.tidy(g)
	l.shard.post(then)
}

// tidy drops a group without lists, unless it is kept. Called under the stripe's lock.
func (s *groupStripe) tidy(g *group) {
	if g.lists == nil && !g.kept {
		s.groups.remove(g)
	}
}

// send posts a message to the members of a group, and returns their number.
func (x *index) send(k key, m *message) (recipients int) {
	s, sum := x.at(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.find(sum, k); g != nil {
		recipients = g.post(m)
	}
	return recipients
}

// count returns the number of a group's members.
func (x *index) count(k key) (n int) {
	s, sum := x.at(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.find(sum, k); g != nil {
		n = g.count()
	}
	return n
}

// lists returns a group's lists.
func (x *index) lists(k key) (lists []*list) {
	s, sum := x.at(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.find(sum, k); g != nil {
		for l := g.lists; l != nil; l = l.next {
			lists = append(lists, l)
		}
	}
	return lists
}

// names calls yield with each group of a route that has members, and their number. No
// lock is held during the call.
func (x *index) names(route bus.Route, yield func(name string, members int)) {
	type entry struct {
		name    string
		members int
	}
	var entries []entry
	for i := range x.groups {
		s := &x.groups[i]
		entries = entries[:0]
		s.mu.Lock()
		s.groups.all(func(g *group) bool {
			if n := g.count(); g.route == route && n > 0 {
				entries = append(entries, entry{g.name, n})
			}
			return true
		})
		s.mu.Unlock()
		for _, e := range entries {
			yield(e.name, e.members)
		}
	}
}
