package engine

import "boundary-app.org/realtime/bus"

// group is the connections that hear what is sent to one key.
type group struct {
	route bus.Route
	slow  SlowPolicy
	kept  bool   // it stays without members; guarded by the stripe
	sum   uint32 // the key's hash
	name  string
	lists *list // one for each shard with members; guarded by the stripe
}

func (g *group) hash() uint32 { return g.sum }

// list is a group's members on one shard.
type list struct {
	shard *shard
	group *group

	// guarded by the group's stripe
	next     *list
	n        int32
	reserved int32 // places taken for connections that are about to join

	// owned by the shard's loop
	members []int32 // slots
	pending *fanout // the first of the messages that not all members have
}

// listOf returns the group's list on a shard. Called under the stripe's lock.
func (g *group) listOf(s *shard) *list {
	for l := g.lists; l != nil; l = l.next {
		if l.shard == s {
			return l
		}
	}
	g.lists = &list{shard: s, group: g, next: g.lists}
	return g.lists
}

// wanted reports whether what is sent to the group is needed here. Called under the
// stripe's lock.
func (g *group) wanted() bool { return g.kept || g.count() > 0 }

// tidy drops a list without members. Called under the stripe's lock.
func (g *group) tidy(l *list) {
	if l.n == 0 && l.reserved == 0 {
		g.drop(l)
	}
}

func (g *group) drop(l *list) {
	for at := &g.lists; *at != nil; at = &(*at).next {
		if *at == l {
			*at = l.next
			return
		}
	}
}

// post posts a message to every shard with members, and returns their number. It is
// called under the stripe's lock, so that all shards see a group's messages in one
// order.
func (g *group) post(m *message) (recipients int) {
	for l := g.lists; l != nil; l = l.next {
		recipients += int(l.n)
		l.shard.post(task{list: l, msg: m})
	}
	return recipients
}

// count returns the number of members. Called under the stripe's lock.
func (g *group) count() (n int) {
	for l := g.lists; l != nil; l = l.next {
		n += int(l.n)
	}
	return n
}

// reserved returns the number of places taken. Called under the stripe's lock.
func (g *group) reserved() (n int) {
	for l := g.lists; l != nil; l = l.next {
		n += int(l.reserved)
	}
	return n
}
