package engine

import "boundary-app.org/realtime/bus"

// Interest follows to which addresses what is sent is needed on this node: those that
// have connections here, all of them but single connections. Added is called when an
// address gets its first, Removed when its last has left: in turn for each address,
// beginning with Added. The name is that of the bus's target, and may be kept.
//
// Both are called while the address is locked: they must not block, nor call the
// engine, nor take a lock under which others call it. Calls for different addresses
// run at the same time.
type Interest interface {
	Added(route bus.Route, name string)
	Removed(route bus.Route, name string)
}

// added says that a group is wanted from now on. Called under the stripe's lock.
func (x *index) added(g *group) {
	if x.interest != nil && g.route != bySource {
		x.interest.Added(g.route, g.name)
	}
}

// removed says that a group is not wanted any more. Called under the stripe's lock.
func (x *index) removed(g *group) {
	if x.interest != nil && g.route != bySource {
		x.interest.Removed(g.route, g.name)
	}
}
