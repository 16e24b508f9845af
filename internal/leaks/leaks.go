// Package leaks looks for secrets in what a program shows. It is for tests. It
// holds no state of its own; a Secrets is not safe for concurrent use.
package leaks

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Secrets is what nobody may see, by a name that may be seen: 12 octets or more
// each, for shorter ones are found by chance or not at all.
type Secrets map[string]string

// AddToken adds what of a token is secret: its header is everybody's.
func (s Secrets) AddToken(name, token string) {
	parts := strings.Split(token, ".")
	for i, part := range parts[1:] {
		s[fmt.Sprintf("%s, part %d", name, i+2)] = part
	}
	if len(parts) == 1 {
		s[name] = token
	}
}

// pieceSize is how much of a secret, in octets, nobody writes by chance. It is
// less than a log would keep of a text that it cuts.
const pieceSize = 12

// ShownIn returns the names of the secrets of which a piece is in text, as it
// is or as Go and the web write octets.
func (s Secrets) ShownIn(text string) (names []string) {
	for name, secret := range s {
		if slices.ContainsFunc(piecesOf(secret), func(piece string) bool { return strings.Contains(text, piece) }) {
			names = append(names, name)
		}
	}
	return names
}

func piecesOf(secret string) (all []string) {
	for i := 0; i+pieceSize <= len(secret); i += pieceSize {
		octets := []byte(secret[i : i+pieceSize])
		decimal := strings.Trim(fmt.Sprint(octets), "[]")
		all = append(all, string(octets), url.QueryEscape(string(octets)), hex.EncodeToString(octets), decimal)
	}
	return append(all, base64.StdEncoding.EncodeToString([]byte(secret))[:pieceSize])
}
