package engine

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"

	"boundary-app.org/realtime/bus"
)

// ID names a connection: the bytes of its node's id, then 80 random bits, so that
// it cannot be guessed and the bus finds the node.
type ID [16]byte

// ids makes the ids of one node's connections. Safe for concurrent use.
type ids struct{ node []byte }

// newIDs begins ids with the id of a node, or with one of its own where that is
// not valid.
func newIDs(node bus.NodeID) ids {
	prefix, ok := node.Bytes()
	for !ok {
		prefix, ok = bus.NewNodeID().Bytes()
	}
	return ids{prefix[:]}
}

// next returns a new id.
func (i ids) next() (id ID) {
	_, _ = rand.Read(id[copy(id[:], i.node):]) // never fails, by its contract
	return id
}

// String returns the id as clients and back ends see it: 22 URL-safe characters.
func (id ID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseID reverses String. It returns false for anything String cannot return.
func ParseID(s string) (id ID, ok bool) {
	if len(s) != base64.RawURLEncoding.EncodedLen(len(id)) {
		return id, false
	}
	_, err := base64.RawURLEncoding.Strict().Decode(id[:], []byte(s))
	return id, err == nil
}

// hash is a random part of the id. Index stripes go by another part.
func (id ID) hash() uint32 { return binary.LittleEndian.Uint32(id[8:]) }

func (c *Conn) hash() uint32 { return c.id.hash() }
