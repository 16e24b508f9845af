package engine

import (
	"errors"
	"fmt"

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
	// 4504, in place of refusing the newest; EvictSource that of a source.
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

// evict closes the oldest connections of a group that has more than limit. Two at
// once could both find the same one too many, and close one each.
func (e *Engine) evict(newest *Conn, k key, limit int) {
	if limit == 0 || k.name == "" {
		return
	}
	e.evicting.Lock()
	defer e.evicting.Unlock()
	for e.index.count(k) > limit {
		oldest := e.oldest(k, newest)
		if oldest == nil {
			return
		}
		oldest.Close(uint16(wire.CloseConnectionLimit), "a newer connection took its place")
	}
}

// oldest returns the oldest connection of a group but for one.
func (e *Engine) oldest(k key, but *Conn) (oldest *Conn) {
	for _, c := range e.members(k) {
		if c != but && (oldest == nil || c.created.before(oldest.created)) {
			oldest = c
		}
	}
	return oldest
}
