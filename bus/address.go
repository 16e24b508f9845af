package bus

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
)

// Route is the kind of an address.
type Route uint8

// The five routes.
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

// Address names connections: those of a user, those with a role, those subscribed
// to a topic, one, or all. It is comparable.
type Address struct {
	Route  Route
	Target string // a user id, a role, a connection id or a topic; empty for Everyone
}

// NodeID names a node for as long as its process runs. The ids of a node's
// connections begin with it.
type NodeID string

const (
	nodeBytes = 6
	nodeChars = 8 // of nodeBytes in base64url
)

// NewNodeID returns a random id of eight URL-safe characters. It does not begin
// with a dash, so that no command takes a connection id for a flag.
func NewNodeID() NodeID {
	for {
		var b [nodeBytes]byte
		_, _ = rand.Read(b[:]) // never fails, by its contract
		if id := base64.RawURLEncoding.EncodeToString(b[:]); id[0] != '-' {
			return NodeID(id)
		}
	}
}

// Bytes returns the bytes that the id stands for; false where NewNodeID cannot
// have returned it.
func (id NodeID) Bytes() (b [nodeBytes]byte, ok bool) {
	if len(id) != nodeChars {
		return b, false
	}
	_, err := base64.RawURLEncoding.Decode(b[:], []byte(id))
	return b, err == nil
}

// NodeOf returns the node that made a connection id, empty where no node can have
// made it.
func NodeOf(connection string) NodeID {
	if len(connection) <= nodeChars {
		return ""
	}
	return NodeID(connection[:nodeChars])
}
