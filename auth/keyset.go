package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
)

// keySet is one version of an issuer's public keys. It is immutable.
type keySet struct {
	keys    []*key
	ignored int  // entries that are not used, or are listed twice
	leaked  bool // an ignored entry was a private key
}

// maxSameKid bounds the keys of a set that have one id and one algorithm: a token is
// tried with each of them.
const maxSameKid = 4

// errLeaked reports a private key in the public set: every reader can sign with it.
var errLeaked = errors.New("a private key")

// parseKeySet reads a JWK set. It ignores entries of an unknown kind, for another use or
// with invalid values (RFC 7517, section 5): the issuer may publish keys for others, too.
func parseKeySet(data []byte, alg string) (*keySet, error) {
	var document struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("not a JWK set: %w", err)
	}
	if document.Keys == nil {
		return nil, errors.New(`not a JWK set: no "keys"`)
	}
	set := &keySet{}
	for _, entry := range *document.Keys {
		k, err := parseJWK(entry, alg)
		if err != nil || set.isFull(k) {
			set.ignored++
			set.leaked = set.leaked || errors.Is(err, errLeaked)
			continue
		}
		set.keys = append(set.keys, k)
	}
	return set, nil
}

// isFull reports whether k must be ignored: the set already has k, or has maxSameKid
// keys with its id and algorithm.
func (s *keySet) isFull(k *key) bool {
	same := s.find(k.id, k.method.Alg())
	return k.id != "" && len(same) == maxSameKid ||
		slices.ContainsFunc(same, func(o *key) bool { return o.id == k.id && o.equals(k) })
}

// parseJWK parses only the public numbers: with the certificate members the parser might
// fetch a URL from the document.
func parseJWK(data []byte, alg string) (*key, error) {
	var m jwkset.JWKMarshal
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, err
	}
	if m.D != "" {
		return nil, errLeaked
	}
	if m.USE != "" && m.USE != jwkset.UseSig || len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify) {
		return nil, errors.New("not for signatures")
	}
	public := jwkset.JWKMarshal{KTY: m.KTY, CRV: m.CRV, X: m.X, Y: m.Y, N: m.N, E: m.E}
	parsed, err := jwkset.NewJWKFromMarshal(public, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return nil, err
	}
	k, err := newPublicKey(m.KID, parsed.Key(), algorithmFor(m, alg))
	if err != nil {
		return nil, err
	}
	if m.ALG != "" && !k.uses(string(m.ALG)) {
		return nil, errors.New("for another algorithm")
	}
	return k, nil
}

// algorithmFor returns the configured algorithm if it is one for RSA, else that of the
// entry; for other kinds of keys neither is used.
func algorithmFor(m jwkset.JWKMarshal, configured string) string {
	if isRSA(configured) {
		return configured
	}
	return string(m.ALG)
}

// find returns the keys with this algorithm and this id; an empty kid means any.
func (s *keySet) find(kid, alg string) (found []*key) {
	for _, k := range s.keys {
		if (kid == "" || k.id == kid) && k.uses(alg) {
			found = append(found, k)
		}
	}
	return found
}

// knows reports whether the set has a key with this id (an empty kid means any) of the
// kind that alg needs. If not, the key may have been published since the set was
// fetched. For a nil set it returns false.
func (s *keySet) knows(kid, alg string) bool {
	return s != nil && slices.ContainsFunc(s.keys, func(k *key) bool {
		return (kid == "" || k.id == kid) && kindOf(k.method.Alg()) == kindOf(alg)
	})
}

// has reports whether the set has a key with this id; an empty kid means any.
func (s *keySet) has(kid string) bool {
	return slices.ContainsFunc(s.keys, func(k *key) bool { return kid == "" || k.id == kid })
}

// choose returns the keys that may have signed a token: those with its algorithm and kid
// (RFC 7517, section 4.5). A token without kid is for the only key with its algorithm,
// which may be listed under several ids.
func (s *keySet) choose(kid, alg string) ([]*key, error) {
	found := s.find(kid, alg)
	switch {
	case !s.has(kid):
		return nil, refuse(ReasonKey, "no key has the token's kid")
	case len(found) == 0:
		return nil, refuse(ReasonAlgorithm, "alg is not that of the key")
	case kid != "":
		return found, nil
	}
	if slices.ContainsFunc(found[1:], func(k *key) bool { return !k.equals(found[0]) }) {
		return nil, refuse(ReasonKey, "the token has no kid, and several keys have its alg")
	}
	return found[:1], nil
}
