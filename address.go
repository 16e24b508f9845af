package realtime

import (
	"slices"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/wire"
)

// Address names connections: those of a user, with a role, subscribed to a
// topic, one, or all. It is a comparable value.
type Address struct {
	route  bus.Route
	target string
}

// Everyone is all connections.
func Everyone() Address { return Address{bus.Everyone, ""} }

// User is a user's connections.
func User(id string) Address { return Address{bus.User, id} }

// Role is the connections whose user has a role.
func Role(role string) Address { return Address{bus.Role, role} }

// Connection is one connection.
func Connection(id string) Address { return Address{bus.Connection, id} }

// Topic is the connections subscribed to a topic, and its listeners.
func Topic(name string) Address { return Address{bus.Topic, name} }

// String returns the address for people: "user u1".
func (a Address) String() string {
	if a.target == "" {
		return a.route.String()
	}
	return a.route.String() + " " + a.target
}

// Matches reports whether the address names a connection.
func (a Address) Matches(c ConnectionInfo) bool {
	switch a.route {
	case bus.Everyone:
		return true
	case bus.User:
		return c.UserID == a.target
	case bus.Role:
		return slices.Contains(c.Roles, a.target)
	case bus.Connection:
		return c.ID == a.target
	case bus.Topic:
		return slices.Contains(c.Topics, a.target)
	}
	return false
}

// onBus returns the address as the bus knows it.
func (a Address) onBus() bus.Address { return bus.Address{Route: a.route, Target: a.target} }

func (a Address) check() error {
	switch a.route {
	case bus.Everyone:
		return nil
	case bus.Topic:
		return wire.CheckTopic(a.target)
	}
	return wire.CheckTarget(a.route.String(), a.target)
}
