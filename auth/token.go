package auth

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"boundary-app.org/realtime/internal/strictjson"
)

const (
	// MaxTokenSize is the largest size of a token in bytes; a longer one is refused unread.
	MaxTokenSize = 8 << 10

	maxKeyID = 255
)

// segments are the decoded parts of a token in compact form (RFC 7515, section 7.1),
// before verification.
type segments struct {
	header    []byte
	claims    []byte
	signature []byte
	signed    string // what the signature covers: the token up to its last dot
}

// header holds the members of a token's header that are used. The members jku, jwk, x5u
// and x5c offer a key. They are not read, since a key that comes with the token proves
// nothing (RFC 8725, section 3.10).
type header struct {
	alg string
	kid string
}

func split(token string) (segments, error) {
	switch {
	case token == "":
		return segments{}, refuse(ReasonMissing, "the token is empty")
	case len(token) > MaxTokenSize:
		return segments{}, refuse(ReasonTooLarge, "the token is longer than %d bytes", MaxTokenSize)
	case strings.Count(token, ".") != 2:
		return segments{}, refuse(ReasonMalformed, "a token has three parts, separated by dots")
	}
	first, last := strings.IndexByte(token, '.'), strings.LastIndexByte(token, '.')
	s := segments{signed: token[:last]}
	for _, part := range []struct {
		dst  *[]byte
		text string
	}{
		{&s.header, token[:first]},
		{&s.claims, token[first+1 : last]},
		{&s.signature, token[last+1:]},
	} {
		data, err := decodeSegment(part.text)
		if err != nil {
			return segments{}, err
		}
		*part.dst = data
	}
	return s, nil
}

// decodeSegment accepts only the encoding of RFC 7515, section 2: no padding, no bits
// beyond the last byte, and no line ends, which the standard decoder skips even in
// strict mode.
func decodeSegment(text string) ([]byte, error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, refuse(ReasonMalformed, "a part is not base64url without padding")
	}
	return data, nil
}

func parseHeader(data []byte) (header, error) {
	var buf [8]member
	members, err := appendObject(buf[:0], data)
	if err != nil {
		return header{}, refuse(ReasonMalformed, "header: %w", err)
	}
	var h header
	for _, m := range members {
		switch string(m.name) {
		case "alg":
			h.alg, err = headerText(m)
		case "kid":
			h.kid, err = headerText(m)
		case "crit":
			err = refuse(ReasonMalformed, "header: crit asks for extensions that are not supported")
		}
		if err != nil {
			return header{}, err
		}
	}
	if h.alg == "" {
		return header{}, refuse(ReasonAlgorithm, "header: alg is missing")
	}
	return h, nil
}

func headerText(m member) (string, error) {
	s, err := strictjson.Unquote(m.value)
	if err != nil {
		return "", refuse(ReasonMalformed, "header: %s: %w", m.name, err)
	}
	if len(s) > maxKeyID {
		return "", refuse(ReasonMalformed, "header: %s is longer than %d bytes", m.name, maxKeyID)
	}
	return s, nil
}

// Inspect decodes a token WITHOUT VERIFYING IT: anyone can have written it, so base no
// decision on the result. It is for showing a token to the person who has it. The error
// is an Error.
func Inspect(token string) (header, claims json.RawMessage, err error) {
	s, err := split(token)
	if err != nil {
		return nil, nil, err
	}
	if _, err := appendObject(nil, s.header); err != nil {
		return nil, nil, refuse(ReasonMalformed, "header: %w", err)
	}
	if _, err := appendObject(nil, s.claims); err != nil {
		return nil, nil, ClaimNames{}.withDefaults().refuseClaims(err)
	}
	return s.header, s.claims, nil
}

// Mint returns a token with these claims, signed with HS256, for development and tests.
// It adds no claim; a verifier requires sub and exp, exp in seconds since 1970. The
// secret must have the length that Options.HMACSecret requires.
func Mint(secret []byte, claims map[string]any) (string, error) {
	if _, err := newSecretKey(secret, ""); err != nil {
		return "", fmt.Errorf("auth: mint: %w", err)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims(claims)).SignedString(secret)
	if err != nil {
		return "", fmt.Errorf("auth: mint: %w", err)
	}
	return token, nil
}
