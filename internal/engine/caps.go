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
	// Evict closes the oldest connection of a user or source that has one too
	// many, with 4504, in place of refusing the newest.
	Evict bool
}

// Errors of Register, and of Admits. ErrFull matches all.
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

// Admits tells ahead whether Register would refuse a connection of a source, or
// of a user, for their number. An empty text stands for any.
func (e *Engine) Admits(source, user string) error {
	caps := e.cfg.Caps
	switch {
	case caps.Total > 0 && e.Open() >= caps.Total:
		return ErrFull
	case caps.Evict:
		return nil
	case caps.PerSource > 0 && source != "" && e.index.count(key{bySource, source}) >= caps.PerSource:
		return ErrSourceFull
	case caps.PerUser > 0 && user != "" && e.index.count(key{bus.User, user}) >= caps.PerUser:
		return ErrUserFull
	}
	return nil
}

// Hold takes a place for a client that is not a connection yet, so that it counts
// for its source. Release gives the place back; it is called before Register.
func (e *Engine) Hold(source string) (release func(), err error) {
	limit := e.cfg.Caps.PerSource
	if limit == 0 || source == "" {
		return func() {}, nil
	}
	k, on := key{bySource, source}, e.shards[0]
	if !e.index.reserve(k, on, limit, e.cfg.Caps.Evict) {
		return nil, ErrSourceFull
	}
	return func() { e.index.release(k, on) }, nil
}

// reserved returns how many places a new connection reserves under a limit.
func (caps Caps) reserved(limit int) int32 {
	if limit > 0 && !caps.Evict {
		return 1
	}
	return 0
}

// reserve takes a new connection's places, all or none. Until it joins its groups
// they count for the caps only.
func (e *Engine) reserve(c *Conn, spec *Spec) error {
	caps := e.cfg.Caps
	if n := e.open.Add(1); caps.Total > 0 && n > int64(caps.Total) {
		e.open.Add(-1)
		return ErrFull
	}
	if caps.PerSource == 0 {
		spec.Source = ""
	}
	held := spec.Source != "" && caps.reserved(caps.PerSource) > 0
	if held && !e.index.reserve(spec.source(), c.shard, caps.PerSource, false) {
		e.open.Add(-1)
		return ErrSourceFull
	}
	if caps.reserved(caps.PerUser) > 0 && !e.index.reserve(spec.user(), c.shard, caps.PerUser, false) {
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
	e.evicting.Lock()
	defer e.evicting.Unlock()
	for limit > 0 && k.name != "" && e.index.count(k) > limit {
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
		if c != but && (oldest == nil || c.created < oldest.created) {
			oldest = c
		}
	}
	return oldest
}
