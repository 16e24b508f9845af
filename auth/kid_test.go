package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Keys are looked up by id and algorithm (RFC 7517, section 4.5).
func TestKeysUnderOneID(t *testing.T) {
	t.Parallel()
	byRSA, byEC, byEd := jwk("a", rsaKey().Public(), ""), jwk("a", ecKey().Public(), ""), jwk("a", edKey().Public(), "")
	other := jwk("a", otherRSA().Public(), "")
	var many []string // with the good key last
	for range maxSameKid {
		many = append(many, rsaJWK(2048, "AQAB", ""))
	}
	for _, c := range []struct {
		name  string
		keys  []string
		token string
		want  Reason
	}{
		{"RSA of three kinds", []string{byRSA, byEC, byEd}, signed("RS256", "a", rsaKey()), ""},
		{"EC of three kinds", []string{byRSA, byEC, byEd}, signed("ES256", "a", ecKey()), ""},
		{"Ed25519 of three kinds", []string{byRSA, byEC, byEd}, signed("EdDSA", "a", edKey()), ""},
		{"an algorithm that none has", []string{byRSA, byEC}, signed("EdDSA", "a", edKey()), ReasonAlgorithm},
		{"first of one kind", []string{byRSA, other}, signed("RS256", "a", rsaKey()), ""},
		{"second of one kind", []string{byRSA, other}, signed("RS256", "a", otherRSA()), ""},
		{"neither of one kind", []string{byRSA, byRSA}, signed("RS256", "a", otherRSA()), ReasonSignature},
		{"one key for two algorithms", []string{jwk("a", rsaKey().Public(), `"alg":"RS256"`), jwk("a", rsaKey().Public(), `"alg":"PS256"`)}, signed("PS256", "a", rsaKey()), ""},
		{"the last that is tried", append(many[1:len(many):len(many)], byRSA), signed("RS256", "a", rsaKey()), ""},
		{"one more", append(many[:len(many):len(many)], byRSA), signed("RS256", "a", rsaKey()), ReasonSignature},
		{"no kid, one key of the kind", []string{byRSA, byEC, byEd}, signed("ES256", "", ecKey()), ""},
		{"no kid, no key of the kind", []string{byRSA, byEC}, signed("EdDSA", "", edKey()), ReasonAlgorithm},
		{"no kid, two keys of the kind", []string{byRSA, other, byEC}, signed("RS256", "", rsaKey()), ReasonKey},
		{"no kid, one key listed twice", []string{byRSA, jwk("b", rsaKey().Public(), ""), byEC}, signed("RS256", "", rsaKey()), ""},
		{"no kid, one EC key listed twice", []string{byEC, jwk("", ecKey().Public(), "")}, signed("ES256", "", ecKey()), ""},
		{"no kid, one Ed25519 key listed twice", []string{byEd, jwk("b", edKey().Public(), `"use":"sig"`)}, signed("EdDSA", "", edKey()), ""},
		{"no kid, one key twice and another", []string{byRSA, byRSA, other}, signed("RS256", "", rsaKey()), ReasonKey},
		{"no kid, one key for two algorithms", []string{byRSA, jwk("a", rsaKey().Public(), `"alg":"PS256"`)}, signed("PS256", "", rsaKey()), ""},
		{"one key listed often, and another", append(slices.Repeat([]string{byRSA}, maxSameKid), other), signed("RS256", "a", otherRSA()), ""},
		{"no kid, another key of the kind", []string{byRSA, byEC}, signed("RS256", "", otherRSA()), ReasonSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var id issuer
				id.publish(c.keys...)
				wantReason(t, newJWT(t, id.options()), c.token, c.want)
			})
		})
	}
}

// Ed25519 is EdDSA for that curve (RFC 9864, section 2.2), in a key, in a token and
// in the configuration.
func TestEd25519ByItsNewName(t *testing.T) {
	t.Parallel()
	byOld := signed("EdDSA", "a", edKey())
	byNew := compact(`{"alg":"Ed25519","kid":"a"}`, goodClaims(), jwt.SigningMethodEdDSA, edKey())
	for _, alg := range []string{``, `"alg":"EdDSA"`, `"alg":"Ed25519"`} {
		synctest.Test(t, func(t *testing.T) {
			var id issuer
			id.publish(jwk("a", edKey().Public(), alg), jwk("b", edKey().Public(), ""))
			j := newJWT(t, id.options())
			wantReason(t, j, byOld, "")
			wantReason(t, j, byNew, "")
		})
	}
	for _, alg := range []string{"", "EdDSA", "Ed25519"} {
		j := newJWT(t, Options{PublicKey: publicPEM(edKey().Public()), Algorithm: alg})
		wantReason(t, j, byOld, "")
		wantReason(t, j, byNew, "")
	}
	for alg, key := range map[string]any{"RS256": rsaKey().Public(), "ES256": ecKey().Public()} {
		wantReason(t, newJWT(t, Options{PublicKey: publicPEM(key)}), byNew, ReasonAlgorithm)
		if _, err := New(Options{PublicKey: publicPEM(key), Algorithm: "Ed25519"}); err == nil {
			t.Errorf("Ed25519 for a key for %s", alg)
		}
	}
	if set, err := parseKeySet([]byte(jwkSet(jwk("a", ecKey().Public(), `"alg":"Ed25519"`), jwk("a", edKey().Public(), `"alg":"Ed448"`))), ""); err != nil || len(set.keys) != 0 {
		t.Errorf("Ed25519 for another curve: %+v, %v", set, err)
	}
}

// A key that is used before it was fetched: as long as the key set may not be looked
// at again, the answer is to come back, with the time when that has sense.
func TestRotationWithinTheCoolDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		id.publish(jwk("old", rsaKey().Public(), ""))
		j := newJWT(t, id.options())
		time.Sleep(10 * time.Second)
		id.publish(jwk("old", rsaKey().Public(), ""), jwk("new", otherRSA().Public(), ""))
		good, unknown := signed("RS256", "new", otherRSA()), signed("RS256", "unknown", otherRSA())
		for _, token := range []string{good, unknown} {
			_, err := j.Verify(t.Context(), token)
			var unavailable *UnavailableError
			if !errors.As(fmt.Errorf("wrapped: %w", err), &unavailable) || !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnauthorized) {
				t.Fatalf("within the cool-down: %v", err)
			}
			if unavailable.RetryAfter != coolDown-10*time.Second {
				t.Errorf("try again after %v, want %v", unavailable.RetryAfter, coolDown-10*time.Second)
			}
			if says := Detail(err); !strings.Contains(says, "fetched less than 30s ago") || strings.Contains(says, "unknown") {
				t.Errorf("detail %q", says)
			}
		}
		time.Sleep(coolDown - 10*time.Second)
		wantReason(t, j, good, "")
		time.Sleep(coolDown)
		wantReason(t, j, unknown, ReasonKey) // it was looked for
		if n := id.count(); n != 3 {
			t.Errorf("%d fetches, want 3", n)
		}
	})
}

// A fetch that began before the token came does not say that its key is not there.
func TestFetchUnderWayIsNoAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		id := issuer{delay: time.Second}
		id.publish(jwk("old", rsaKey().Public(), ""))
		j := newJWT(t, id.options())
		time.Sleep(time.Second / 2)
		id.publish(jwk("old", rsaKey().Public(), ""), jwk("new", otherRSA().Public(), ""))
		wantReason(t, j, signed("RS256", "new", otherRSA()), ReasonUnavailable)
		wantReason(t, j, signed("RS256", "old", rsaKey()), "")
	})
}

// Beside a configured key that does not fit, the key set may still hold the right one.
func TestRotationBesideAConfiguredKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		id.publish(jwk("old", rsaKey().Public(), ""), jwk("ec", ecKey().Public(), ""))
		o := id.options()
		o.PublicKey = publicPEM(otherRSA().Public())
		j := newJWT(t, o)
		time.Sleep(time.Second)
		wantReason(t, j, signed("RS256", "new", otherRSA()), "") // the configured key has no id
		wantReason(t, j, signed("RS256", "new", rsaKey()), ReasonUnavailable)
		time.Sleep(coolDown)
		wantReason(t, j, signed("RS256", "new", rsaKey()), ReasonSignature)
		wantReason(t, j, signed("ES256", "", ecKey()), "") // the one key of its kind
	})
}

// Another kind of key under an id that is known, or in a set without ids, is as new as
// an unknown id: the key set is fetched, once in a cool-down.
func TestRotationToAnotherKind(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a", ""} {
		byRSA, byEC, byEd := jwk(id, rsaKey().Public(), ""), jwk(id, ecKey().Public(), ""), jwk(id, edKey().Public(), "")
		good, next := signed("ES256", id, ecKey()), signed("EdDSA", id, edKey())
		synctest.Test(t, func(t *testing.T) {
			var issuer issuer
			issuer.publish(byRSA)
			j := newJWT(t, issuer.options())
			time.Sleep(coolDown + time.Second)
			issuer.publish(byRSA, byEC)
			wantReason(t, j, good, "") // one fetch
			issuer.publish(byRSA, byEC, byEd)
			time.Sleep(time.Second)
			wantReason(t, j, next, ReasonUnavailable) // within the cool-down
			wantReason(t, j, good, "")
			time.Sleep(coolDown)
			wantReason(t, j, next, "")
			if n := issuer.count(); n != 3 {
				t.Errorf("kid %q: %d fetches, want 3", id, n)
			}
		})
	}
}

// No token causes a fetch where a key of its kind is known. A token for HS256 never
// does, since no key set holds secrets.
func TestKnownKindCausesNoFetch(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a", ""} {
		synctest.Test(t, func(t *testing.T) {
			var issuer issuer
			issuer.publish(jwk(id, rsaKey().Public(), ""), jwk(id, ecKey().Public(), ""), jwk(id, edKey().Public(), ""))
			j := newJWT(t, issuer.options())
			time.Sleep(coolDown + time.Second)
			for _, c := range []struct {
				token string
				want  Reason
			}{
				{signed("PS256", id, rsaKey()), ReasonAlgorithm},
				{signed("RS512", id, rsaKey()), ReasonAlgorithm},
				{signed("ES384", id, otherCurve()), ReasonAlgorithm},
				{mint(nil), ReasonAlgorithm},
				{signed("RS256", id, otherRSA()), ReasonSignature},
				{signed("EdDSA", id, otherEd()), ReasonSignature},
			} {
				wantReason(t, j, c.token, c.want)
			}
			if n := issuer.count(); n != 1 {
				t.Errorf("kid %q: %d fetches, want none after the first", id, n)
			}
		})
	}
}

// Tokens for a kind of key that is not there cause one fetch in a cool-down, however
// many come.
func TestMissingKindFetchesOncePerCoolDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var issuer issuer
		issuer.publish(jwk("a", rsaKey().Public(), ""))
		j := newJWT(t, issuer.options())
		time.Sleep(coolDown + time.Second)
		tokens := []string{signed("ES256", "a", ecKey()), signed("ES256", "", ecKey()), signed("EdDSA", "a", edKey())}
		wantReason(t, j, tokens[0], ReasonAlgorithm) // it was looked for
		for i := range 1000 {
			time.Sleep(time.Millisecond)
			wantReason(t, j, tokens[i%len(tokens)], ReasonUnavailable)
		}
		if n := issuer.count(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
	})
}
