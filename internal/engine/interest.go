package engine

import "boundary-app.org/realtime/bus"

// Interest follows which addresses have connections on this node. Added is called
// when an address gets its first connection, Removed when its last has left: in
// turn for each address, beginning with Added. The name is that of the bus's
// Target, and may be kept. An address of route Connection is added when its
// connection is registered and removed when that ends.
//
// Both are called while the address is locked: they must not block, nor call the
// engine, nor take a lock under which others call it. Calls for different addresses
// run at the same time.
type Interest interface {
	Added(route bus.Route, name string)
	Removed(route bus.Route, name string)
}

// added says that a group has its first member. Called under the stripe's lock.
func (x *index) added(g *group) {
	if x.interest != nil && g.route != bySource {
		x.interest.Added(g.route, g.name)
	}
}

// removed says that a group has lost its last member. Called under the stripe's lock.
func (x *index) removed(g *group) {
	if x.interest != nil && g.route != bySource {
		x.interest.Removed(g.route, g.name)
	}
}
