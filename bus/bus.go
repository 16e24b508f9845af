// Package bus is what nodes see of each other: the envelope, the contract every
// bus keeps, and the bus of one process.
//
// A bus owns how an envelope reaches the nodes. It never looks into the
// message and never knows a connection: delivery happens only through the one
// Deliver function each node joined with, on the node that published too, and
// delivery never publishes. Everything here is safe for concurrent use.
package bus

import (
	"context"
	"errors"
	"fmt"
)

// Route says what kind of target an envelope has.
type Route uint8

// The five addresses.
const (
	Everyone Route = iota + 1
	User
	Role
	Connection
	Topic
)

var routeNames = [...]string{Everyone: "everyone", User: "user", Role: "role", Connection: "connection", Topic: "topic"}

func (r Route) String() string {
	if int(r) < len(routeNames) && routeNames[r] != "" {
		return routeNames[r]
	}
	return fmt.Sprintf("route(%d)", uint8(r))
}

// Op says what a node does with the connections an envelope addresses.
type Op uint8

// The operations. Only Send reaches topics' in-process listeners.
const (
	Send        Op = iota // write Body, a frame's text, to each connection
	Disconnect            // close each connection; Body is a close order
	Subscribe             // subscribe each connection to the topic that is Body
	Unsubscribe           // the reverse; an empty Body means all topics
	Revoke                // close those whose token Body revokes; to Everyone: and remember it
)

// Envelope is one operation on the connections that an address names.
type Envelope struct {
	Route  Route
	Target string // empty for Everyone
	Op     Op
	Body   []byte // not changed by anyone once published
}

// Receipt tells what became of a published envelope.
type Receipt struct {
	// Recipients is the number of connections (and of in-process listeners of
	// a topic) that the envelope was handed to, on all nodes.
	Recipients int
	// ID is the message's position where its topic keeps a history.
	ID string
	// Duplicate says that an idempotency key had been seen before.
	Duplicate bool
}

// Deliver hands an envelope to a node's own connections and returns how many
// there were. It does not block, does not publish and is safe for concurrent use.
type Deliver func(Envelope) int

// Bus joins nodes. Every implementation behaves as package bustest checks.
type Bus interface {
	// Join adds a node whose connections deliver reaches. It may wait until the
	// node hears the others, until ctx is done at the latest; an unreachable
	// broker is not an error, it is tried for as long as the node exists.
	Join(ctx context.Context, deliver Deliver) (Node, error)
}

// Node is one member of a bus.
type Node interface {
	// Publish hands the envelope to every node, this one included, each exactly
	// once. Envelopes published one after the other by one goroutine arrive in
	// that order on every node. After Close the error is ErrClosed.
	Publish(ctx context.Context, e Envelope) (Receipt, error)
	// Close leaves the bus; no delivery begins after it has returned. It is
	// idempotent.
	Close() error
}

// ErrClosed is the error of a node that has left its bus.
var ErrClosed = errors.New("bus: closed")
