package engine

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
)

// ID names a connection: 128 random bits, so that it cannot be guessed and no
// two nodes make the same one.
type ID [16]byte

// NewID returns a new random id. Its String does not begin with a dash, so that
// no command takes it for a flag.
func NewID() (id ID) {
	for {
		_, _ = rand.Read(id[:]) // never fails, by its contract
		if id[0]>>2 != dash {
			return id
		}
	}
}

// dash is what "-" stands for in base64url (RFC 4648, section 5).
const dash = 62

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

// hash is a part of the id: it is random already. Index stripes go by another part.
func (id ID) hash() uint32 { return binary.LittleEndian.Uint32(id[8:]) }

func (c *Conn) hash() uint32 { return c.id.hash() }
