package revocation

import "time"

// Kind says what a key goes by.
type Kind string

// The kinds of key, as nodes tell them to each other.
const (
	User    Kind = "user"   // all tokens of a user
	TokenID Kind = "token"  // the token with this id, its jti claim
	Digest  Kind = "digest" // the token without an id that has this digest
)

// Token is what of a token a key goes by.
type Token struct {
	User     string
	ID       string        // empty: it has none
	IssuedAt time.Time     // zero: it does not say
	Digest   func() string // of a token without an id; asked for only where it matters
}

// Key names tokens.
type Key struct {
	Kind  Kind   `json:"kind"`
	Value string `json:"value"`
}

// Key returns the key that names this token and no other.
func (t Token) Key() Key {
	if t.ID != "" {
		return Key{TokenID, t.ID}
	}
	return Key{Digest, t.Digest()}
}

// Names reports whether the token is one that the key names.
func (k Key) Names(t Token) bool {
	switch k.Kind {
	case User:
		return t.User == k.Value
	case TokenID:
		return t.ID != "" && t.ID == k.Value
	case Digest:
		return t.ID == "" && t.Digest() == k.Value
	}
	return false
}

// Entry is one revocation.
type Entry struct {
	Key
	At    time.Time // of a user: what is issued later, by the issuer's clock, is another token
	Until time.Time // when it may be forgotten: all tokens it covers have expired
}

// Covers reports whether the token is one that the entry revokes, whatever the
// time is now.
func (e Entry) Covers(t Token) bool {
	return e.Names(t) && (e.Kind != User || !t.IssuedAt.After(e.At)) // also without a time
}
