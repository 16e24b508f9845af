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
	ignored int  // entries that are no key of ours, or one that was listed before
	leaked  bool // one of them was a private key
}

// maxSameKid bounds the keys of a set that have one id and one algorithm: a token is
// tried with each of them.
const maxSameKid = 4

// errLeaked is about a private key in a set that is public, so that all readers can sign with it.
var errLeaked = errors.New("a private key")

// parseKeySet reads a JWK set. An entry of an unknown kind, for another use or
// with bad values is ignored (RFC 7517, section 5): the issuer may publish keys
// for others too.
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

// isFull reports whether k is to be left out: the set has it already, or has maxSameKid
// keys with its id and algorithm.
func (s *keySet) isFull(k *key) bool {
	same := s.find(k.id, k.method.Alg())
	return k.id != "" && len(same) == maxSameKid ||
		slices.ContainsFunc(same, func(o *key) bool { return o.id == k.id && o.equals(k) })
}

// parseJWK hands on only the public numbers: the certificate members could make
// the parser fetch an address of the document's choice.
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

// algorithmFor is the configured algorithm where it is one for RSA, else what
// the entry says; for other keys neither counts.
func algorithmFor(m jwkset.JWKMarshal, configured string) string {
	if isRSA(configured) {
		return configured
	}
	return string(m.ALG)
}

// find returns the keys with this algorithm and this id, or any where kid is empty.
func (s *keySet) find(kid, alg string) (found []*key) {
	for _, k := range s.keys {
		if (kid == "" || k.id == kid) && k.uses(alg) {
			found = append(found, k)
		}
	}
	return found
}

// knows reports whether the set has a key of the kind that alg needs, with this id, or
// any where kid is empty. If not, such a key may have been published since the set was
// fetched. A nil set knows nothing.
func (s *keySet) knows(kid, alg string) bool {
	return s != nil && slices.ContainsFunc(s.keys, func(k *key) bool {
		return (kid == "" || k.id == kid) && kindOf(k.method.Alg()) == kindOf(alg)
	})
}

// has reports whether the set has a key with this id, or any where kid is empty.
func (s *keySet) has(kid string) bool {
	return slices.ContainsFunc(s.keys, func(k *key) bool { return kid == "" || k.id == kid })
}

// choose returns the keys that a token may be signed with: those that have its
// algorithm and its kid (RFC 7517, section 4.5). A token without kid is for the one key
// that has its algorithm, under however many ids it is listed.
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
