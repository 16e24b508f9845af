package engine

import (
	"errors"
	"fmt"
	"slices"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/wire"
)

// Caps bound the number of connections. Zero is no bound. A connection whose end
// has begun does not count for its user and source any more; for Total it counts
// until its socket is closed.
type Caps struct {
	Total     int
	PerUser   int
	PerSource int
	// EvictUser closes the oldest connection of a user that has one too many, with
	// 4504, in place of refusing the newest; EvictSource that of a source. As many
	// again may wait for Open, before which they close none that is open.
	EvictUser   bool
	EvictSource bool
}

// Errors of Register, and of CheckLimits. ErrFull matches all.
var (
	ErrFull       = errors.New("there are as many connections as there may be")
	ErrUserFull   = fmt.Errorf("%w of this user", ErrFull)
	ErrSourceFull = fmt.Errorf("%w from this address", ErrFull)
)

// bySource is the route of the groups that count the connections of a source.
// Nothing is sent to them.
const bySource bus.Route = 255

func (s Spec) user() key   { return key{bus.User, s.User} }
func (s Spec) source() key { return key{bySource, s.Source} }

// CheckLimits returns ahead the error with which Register would refuse a
// connection of a source, or of a user, for their number. An empty text stands
// for any.
func (e *Engine) CheckLimits(source, user string) error {
	caps := e.limits.Load().Caps
	switch {
	case caps.Total > 0 && e.Open() >= caps.Total:
		return ErrFull
	case caps.PerSource > 0 && !caps.EvictSource && source != "" && e.index.count(key{bySource, source}) >= caps.PerSource:
		return ErrSourceFull
	case caps.PerUser > 0 && !caps.EvictUser && user != "" && e.index.count(key{bus.User, user}) >= caps.PerUser:
		return ErrUserFull
	}
	return nil
}

// Hold takes a place for a client that is not a connection yet, so that it counts
// for its source. Release gives the place back; it is called before Register.
func (e *Engine) Hold(source string) (release func(), err error) {
	caps := e.limits.Load().Caps
	if caps.PerSource == 0 || source == "" {
		return func() {}, nil
	}
	k, on := key{bySource, source}, e.shards[0]
	if !e.index.reserve(k, on, caps.PerSource, caps.EvictSource) {
		return nil, ErrSourceFull
	}
	return func() { e.index.release(k, on) }, nil
}

// ofUser and ofSource return how many places a new connection reserves: none
// where it takes that of the oldest.
func (caps Caps) ofUser() int32   { return reserved(caps.PerUser, caps.EvictUser) }
func (caps Caps) ofSource() int32 { return reserved(caps.PerSource, caps.EvictSource) }

func reserved(limit int, evict bool) int32 {
	if limit > 0 && !evict {
		return 1
	}
	return 0
}

// reserve takes a new connection's places, all or none. Until it joins its groups
// they count for the caps only.
func (e *Engine) reserve(c *Conn, spec *Spec, caps Caps) error {
	if n := e.open.Add(1); caps.Total > 0 && n > int64(caps.Total) {
		e.open.Add(-1)
		return ErrFull
	}
	if caps.PerSource == 0 {
		spec.Source = ""
	}
	held := spec.Source != "" && caps.ofSource() > 0
	if held && !e.index.reserve(spec.source(), c.shard, caps.PerSource, false) {
		e.open.Add(-1)
		return ErrSourceFull
	}
	if caps.ofUser() > 0 && !e.index.reserve(spec.user(), c.shard, caps.PerUser, false) {
		if held {
			e.index.release(spec.source(), c.shard)
		}
		e.open.Add(-1)
		return ErrUserFull
	}
	return nil
}

// evicts notes which caps of a new connection's evict for it: at Open, not before,
// since it may be refused until then.
func (c *Conn) evicts(spec *Spec, caps Caps) {
	if caps.PerUser > 0 && caps.EvictUser {
		c.options |= optEvictUser
	}
	if caps.PerSource > 0 && caps.EvictSource && spec.Source != "" {
		c.options |= optEvictSource
	}
}

// accept counts c among the open connections of its user and source, and makes room
// for it there.
func (e *Engine) accept(c *Conn) {
	user, source, ok := c.accept()
	if !ok {
		return
	}
	caps := e.limits.Load().Caps // for new ones, as c is
	e.makeRoom(c, user, caps.PerUser, optEvictUser)
	e.makeRoom(c, source, caps.PerSource, optEvictSource)
}

// accept notes that the connection is open for the caps. It returns the keys that
// count it; false when the connection has ended.
func (c *Conn) accept() (user, source key, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return user, source, false
	}
	c.accepted = true
	for i := range c.groups {
		switch g := c.groups[i].list.group; g.route {
		case bus.User:
			user = key{bus.User, g.name}
		case bySource:
			source = key{bySource, g.name}
		}
	}
	return user, source, true
}

// makeRoom closes the oldest connections of a group that has more than limit, where
// the newest was registered with the option to. Open ones and those that are not yet
// count apart: what may still be refused costs no open connection its place. Two at
// once could both find the same one too many, and close one each.
func (e *Engine) makeRoom(newest *Conn, k key, limit int, option uint8) {
	if newest.options&option == 0 || limit == 0 || e.index.count(k) <= limit {
		return
	}
	e.evicting.Lock()
	defer e.evicting.Unlock()
	for rivals := e.rivals(newest, k); len(rivals) >= limit; rivals = rivals[1:] {
		rivals[0].Close(uint16(wire.CloseConnectionLimit), "a newer connection took its place")
	}
}

// rivals returns the other connections of a group that are open where c is, or that
// are not where it is not, the oldest first.
func (e *Engine) rivals(c *Conn, k key) (rivals []*Conn) {
	accepted, _ := c.standing()
	for _, other := range e.members(k) {
		if same, retired := other.standing(); other != c && !retired && same == accepted {
			rivals = append(rivals, other)
		}
	}
	slices.SortStableFunc(rivals, func(a, b *Conn) int { return int(int32(a.created - b.created)) })
	return rivals
}

func (c *Conn) standing() (accepted, retired bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.accepted, c.ended
}
