// Package bus is how nodes reach each other: the envelope, the contract that
// every bus keeps, and the bus of one process.
//
// A node is one process with connections. It joins a bus under a NodeID and
// hands the bus a Local, through which the bus reaches the node. A bus owns how
// an envelope gets to the nodes. It never reads a body and never knows a
// connection.
//
// To write a bus, implement Bus and Node, and hold it against bustest.Run and
// bustest.RunFaults.
// All methods of Bus, Node and Local may be called concurrently.
package bus

import (
	"context"
	"errors"
	"time"
)

// Op is what a node does with the connections that an envelope addresses.
type Op uint8

// The operations.
const (
	Send        Op = iota // write the message in Body to each connection and each listener of a topic
	Disconnect            // close each connection; Body holds the code and the reason
	Subscribe             // subscribe each connection to the topic in Body
	Unsubscribe           // unsubscribe each connection from the topic in Body; an empty Body: from all topics
	Revoke                // to Everyone: refuse the tokens in Body and close their connections; to a Connection: close it and reply its tokens
)

// Envelope is one operation on the connections of an address.
type Envelope struct {
	To   Address
	Op   Op
	Body []byte // read only, for the publisher too once it is published
}

// Reply is what a node returns for an envelope that it was handed.
type Reply struct {
	Recipients int    // connections and listeners of this node that the envelope reached
	Body       []byte // an answer to the publisher; nil for most operations
}

// Receipt is the result of a publication.
type Receipt struct {
	// Recipients is the sum over the nodes that replied: a lower bound where
	// Missing is not empty.
	Recipients int
	// Nodes is how many nodes replied.
	Nodes int
	// Missing are the nodes that the envelope was sent to and that had not
	// replied in time. Whether it reached them is not known.
	Missing []NodeID
	// Replies are the bodies of the replies that have one. It is nil without any.
	Replies map[NodeID][]byte
}

// Add adds a node's reply.
func (r *Receipt) Add(from NodeID, reply Reply) {
	r.Nodes++
	r.Recipients += reply.Recipients
	if reply.Body == nil {
		return
	}
	if r.Replies == nil {
		r.Replies = map[NodeID][]byte{}
	}
	r.Replies[from] = reply.Body
}

// Errors of Publish. After any other error it is not known which nodes the
// envelope has reached.
var (
	// ErrRejected says that the envelope has reached no node and can be
	// published again: this node is cut off from its bus.
	ErrRejected = errors.New("bus: rejected: this node is cut off from the others; try again")
	// ErrClosed is the error of a node that has left its bus.
	ErrClosed = errors.New("bus: closed")
)

// Local is a node as its bus sees it. Its methods may call Want and Drop, and no
// other method of the bus.
type Local interface {
	// Deliver carries out an envelope on the node's own connections. It does not
	// wait for clients or for other nodes.
	Deliver(e Envelope) Reply
	// Answer returns the node's answer to a question, nil if it does not understand
	// the question. It may block until ctx is done.
	Answer(ctx context.Context, question []byte) []byte
	// MembersChanged reports which other nodes have joined, and which have left or
	// are unreachable. A node that joins gets the ids of the present members, too.
	// The calls for one node do not overlap.
	MembersChanged(joined, left []NodeID)
}

// Bus joins nodes.
type Bus interface {
	// Join adds a node under an id that no other member has. It may call local
	// before it returns. It may wait until the node is connected, until ctx is done
	// at the latest. A broker that cannot be reached is not an error: the bus
	// goes on trying until the node is closed, and Health reports it.
	Join(ctx context.Context, id NodeID, local Local) (Node, error)
}

// Node is one member of a bus.
//
// Which nodes an envelope or a question goes to follows from its address: to
// Everyone, all; to a Connection, the node that NodeOf names, if it is a member;
// to any other address, at least the nodes that Want it. The node that publishes
// or asks is treated like the others.
type Node interface {
	// Publish hands an envelope to the nodes of its address, each at most once,
	// and waits for their replies: for a quarter of a second (ReplyTime), or until
	// ctx is done. A node that has not replied by then is listed in
	// Receipt.Missing; that is not an error. From then on the node is suspect:
	// envelopes are sent to it, but no call waits for it until anything arrives
	// from it.
	//
	// Envelopes that one goroutine publishes one after the other are delivered in
	// that order on each node. The order of envelopes of different nodes may differ
	// from node to node. The error matches ErrRejected, ErrClosed or the error of
	// ctx.
	Publish(ctx context.Context, e Envelope) (Receipt, error)
	// Want registers interest in a user, a role or a topic; Drop takes one call of
	// Want back. The node wants the address while there were more calls of Want than
	// of Drop. Neither blocks: the caller holds locks. The publisher knows what a
	// node wants during Deliver before its Publish returns.
	Want(a Address)
	Drop(a Address)
	// Known waits until every other member knows what this node wanted before the
	// call: envelopes that they publish after its return reach this node. A member
	// that does not confirm within ReplyTime becomes suspect; Known does not wait for
	// suspects. The error matches ErrClosed or the error of ctx.
	Known(ctx context.Context) error
	// Ask puts a question to the nodes of an address and waits for their answers
	// until ctx is done. It does not wait for suspects. Missing lists the nodes that
	// did not answer in time. A closed node asks none.
	Ask(ctx context.Context, of Address, question []byte) (answers map[NodeID][]byte, missing []NodeID)
	// Health returns nil while the node is connected to its bus, otherwise the reason.
	Health() error
	// Close leaves the bus. No call of Local begins after its return. It is
	// idempotent.
	Close() error
}

// ReplyTime is how long Publish waits for nodes that do not reply.
const ReplyTime = 250 * time.Millisecond
