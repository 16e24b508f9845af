package revocation

import "time"

// Kind says what an entry goes by.
type Kind string

// The kinds of entry, as nodes tell them to each other.
const (
	User    Kind = "user"   // all tokens of a user that were issued until then
	TokenID Kind = "token"  // the token with this id, its jti claim
	Digest  Kind = "digest" // the token without an id that has this digest
)

// skew is how far the clock of a token's issuer may be ahead of ours. A user
// who signs in anew within it gets a token that still counts as an old one.
const skew = 30 * time.Second

// Token is what of a token an entry goes by.
type Token struct {
	User     string
	ID       string        // empty: it has none
	IssuedAt time.Time     // zero: it does not say
	Digest   func() string // of a token without an id; asked for only where it matters
}

// Entry is one revocation.
type Entry struct {
	Kind  Kind
	Value string
	At    time.Time // when it was revoked; what is issued later is another token
	Until time.Time // when it may be forgotten: all tokens it covers have expired
}

// Covers reports whether the token is one that the entry revokes, whatever the
// time is now.
func (e Entry) Covers(t Token) bool {
	switch e.Kind {
	case User:
		return t.User == e.Value && !t.IssuedAt.After(e.At.Add(skew)) // also without a time
	case TokenID:
		return t.ID != "" && t.ID == e.Value
	case Digest:
		return t.ID == "" && t.Digest() == e.Value
	}
	return false
}
