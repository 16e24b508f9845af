package revocation

import (
	"encoding/json"
	"fmt"
	"time"
)

// Command revokes tokens on every node.
type Command struct {
	Keys   []Key  `json:"keys"`
	User   string `json:"user,omitempty"` // whose tokens they are; empty: not known
	At     int64  `json:"at"`             // when it was given, in Unix milliseconds
	Until  int64  `json:"until"`          // when it may be forgotten, in Unix milliseconds
	Reason string `json:"reason"`         // of the close frames
}

// ParseCommand reads what Encode has written.
func ParseCommand(body []byte) (c Command, err error) {
	if err := json.Unmarshal(body, &c); err != nil {
		return Command{}, fmt.Errorf("read a revocation: %w", err)
	}
	return c, nil
}

// Encode returns the command for other nodes.
func (c Command) Encode() []byte { return encode(c) }

// Names reports whether the command names a token. A user's tokens all are: a
// connection is closed whenever its token was issued.
func (c Command) Names(t Token) bool {
	for _, key := range c.Keys {
		if key.Names(t) {
			return true
		}
	}
	return false
}

// Tokens is what a node knows about the tokens of a command.
type Tokens struct {
	Keys     []Key         `json:"keys,omitempty"`    // of a connection that was asked for
	User     string        `json:"user,omitempty"`    // of that connection
	Expires  time.Time     `json:"expires,omitzero"`  // when the last of them expires; zero: not known
	Lifetime time.Duration `json:"lifetime,omitzero"` // the longest of any token, in nanoseconds
}

// ParseTokens reads what Encode has written.
func ParseTokens(body []byte) (t Tokens, err error) {
	if err := json.Unmarshal(body, &t); err != nil {
		return Tokens{}, fmt.Errorf("read the tokens of a node: %w", err)
	}
	return t, nil
}

// lastTime is the latest time that RFC 3339 can write, and so JSON.
var lastTime = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)

// Encode returns the tokens for other nodes. An expiry after the year 9999 becomes
// the end of that year.
func (t Tokens) Encode() []byte {
	if t.Expires = t.Expires.UTC(); t.Expires.After(lastTime) {
		t.Expires = lastTime
	}
	return encode(t)
}

// Extend takes over a later expiry and a longer lifetime.
func (t *Tokens) Extend(other Tokens) {
	t.Expires = Later(t.Expires, other.Expires)
	t.Lifetime = max(t.Lifetime, other.Lifetime)
}

// Later returns the later of two times.
func Later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func encode(v any) []byte {
	body, _ := json.Marshal(v) // texts, numbers and times until lastTime always encode
	return body
}
