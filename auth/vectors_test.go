package auth

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// refusal is a token that must be refused, and why.
type refusal struct {
	name   string
	token  string
	reason Reason
}

// vectorSet are refusals by verifiers of one kind.
type vectorSet struct {
	name    string
	options Options  // besides the key set that all of them have
	keys    []string // of the key set; nil: one of each kind, and a second RSA key
	vectors []refusal
	// asks is true where the token names a key that may have been published a
	// moment ago. No other refusal may cost a fetch, or wait for one.
	asks bool
}

// refusedVectors is every token that must be refused.
func refusedVectors() []vectorSet {
	byRSA := Options{PublicKey: publicPEM(rsaKey().Public())}
	byEC := Options{PublicKey: publicPEM(ecKey().Public())}
	byEd := Options{PublicKey: publicPEM(edKey().Public())}
	byHMAC := Options{HMACSecret: secret}
	rsa, ec, ed := jwk("rsa", rsaKey().Public(), ""), jwk("ec", ecKey().Public(), ""), jwk("ed", edKey().Public(), "")
	return []vectorSet{
		{name: "size and form", options: byHMAC, vectors: malformed()},
		{name: "header", options: byHMAC, vectors: badHeaders()},
		{name: "JSON of the claims", options: byHMAC, vectors: badJSON()},
		{name: "HMAC", options: byHMAC, vectors: badHMAC()},
		{name: "RSA key", options: byRSA, keys: []string{rsa}, vectors: badRSA()},
		{name: "EC key", options: byEC, keys: []string{ec}, vectors: badECDSA()},
		{name: "Ed25519 key", options: byEd, keys: []string{ed}, vectors: badEd25519()},
		{name: "key from the token", options: byRSA, vectors: ownKeys()},
		{name: "key set", vectors: badKeyChoice()},
		{name: "kind beside an RSA key", options: byRSA, keys: []string{rsa}, vectors: withoutKid("RS256"), asks: true},
		{name: "kind beside an EC key", options: byEC, keys: []string{ec}, vectors: withoutKid("ES256"), asks: true},
		{name: "kind beside an Ed25519 key", options: byEd, keys: []string{ed}, vectors: withoutKid("EdDSA"), asks: true},
		{name: "unknown kind", vectors: otherKinds(), asks: true},
		{name: "unknown key", vectors: unknownKeyIDs(), asks: true},
		{name: "times", options: byHMAC, vectors: badTimes()},
		{name: "issuer and audience", options: Options{HMACSecret: secret, Issuer: ourIssuer, Audience: ourAudience}, vectors: badIssuers()},
		{name: "claims", options: byHMAC, vectors: badClaims()},
	}
}

const ourIssuer, ourAudience = "https://id.example", "chat"

// published is the key set of the verifiers of these vectors.
func (s vectorSet) published() *issuer {
	id := new(issuer)
	id.publish(s.keys...)
	if s.keys == nil {
		id.publish(jwk("rsa", rsaKey().Public(), ""), jwk("ec", ecKey().Public(), ""), jwk("ed", edKey().Public(), ""),
			jwk("rsa-2", otherRSA().Public(), ""))
	}
	return id
}

// acceptedVectors are tokens as issuers write them.
func acceptedVectors() []vectorSet {
	oneID := []string{jwk("a", rsaKey().Public(), ""), jwk("a", ecKey().Public(), ""), jwk("a", edKey().Public(), `"alg":"Ed25519"`), jwk("a", otherRSA().Public(), "")}
	byEd := func(header string) string { return compact(header, goodClaims(), jwt.SigningMethodEdDSA, edKey()) }
	return []vectorSet{
		{name: "claims", options: Options{HMACSecret: secret}, vectors: []refusal{
			{name: "roles in the claim for one", token: withClaim("role", `["admin","user"]`)},
			{name: "roles by name", token: withClaim("roles", `{"admin":{"1":"a.example"}}`)},
			{name: "scope", token: withClaim("scope", `"openid realtime:read"`)},
			{name: "sub number", token: mint(map[string]any{"sub": 42})},
			{name: "sub of 64 bits", token: mint(map[string]any{"sub": uint64(1<<64 - 1)})},
		}},
		{name: "keys", keys: oneID, vectors: []refusal{
			{name: "RSA of one id", token: signed("RS256", "a", rsaKey())},
			{name: "second RSA of one id", token: signed("RS256", "a", otherRSA())},
			{name: "EC of one id", token: signed("ES256", "a", ecKey())},
			{name: "Ed25519 of one id", token: byEd(`{"alg":"Ed25519","kid":"a"}`)},
			{name: "EC without kid", token: signed("ES256", "", ecKey())},
			{name: "Ed25519 without kid", token: byEd(`{"alg":"EdDSA"}`)},
		}},
	}
}

// soon is why a vector is refused within the cool-down, when nothing may be fetched.
func (s vectorSet) soon(c refusal) Reason {
	if s.asks {
		return ReasonUnavailable
	}
	return c.reason
}

// Every vector is refused for its reason, at a time when a fetch would be
// allowed: none is made, but for a key that is not known.
func TestRefusedVectors(t *testing.T) {
	t.Parallel()
	total := 0
	for _, set := range refusedVectors() {
		total += len(set.vectors)
		wantFetches := 1 // at the start
		if set.asks {
			wantFetches = 2
		}
		t.Run(set.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range set.vectors {
				t.Run(c.name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						id := set.published()
						v := newJWT(t, id.fill(set.options))
						time.Sleep(coolDown + time.Second)
						checkRefusal(t, v, c)
						if n := id.count(); n != wantFetches {
							t.Errorf("%d fetches, want %d", n, wantFetches)
						}
					})
				})
			}
		})
	}
	if total < 40 {
		t.Errorf("only %d vectors", total)
	}
}

func checkRefusal(t *testing.T, v Verifier, c refusal) {
	t.Helper()
	id, err := v.Verify(t.Context(), c.token)
	var refused *Error
	if id != nil || !errors.Is(err, ErrUnauthorized) || !errors.As(err, &refused) || ReasonOf(err) != c.reason {
		t.Fatalf("Verify = %v, %v; want reason %q", id, err, c.reason)
	}
	for _, part := range strings.Split(c.token, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
}

func checkRefusals(t *testing.T, v Verifier, vectors []refusal) {
	t.Helper()
	for _, c := range vectors {
		t.Run(c.name, func(t *testing.T) { checkRefusal(t, v, c) })
	}
}

// No refusal takes a millisecond. The best of many attempts counts, so that a
// busy machine does not matter, and the slowness of a bad token does.
func TestRefusalsAreQuick(t *testing.T) {
	t.Parallel()
	const limit, attempts = time.Millisecond * slowdown, 200
	for _, set := range refusedVectors() {
		o := set.published().fill(set.options)
		o.Now = clock
		v := newJWT(t, o)
		_, _ = v.Verify(t.Context(), signed("RS256", "rsa", rsaKey())) // the key set is here
		for _, c := range set.vectors {
			best := time.Hour
			for i := 0; i < attempts && best >= limit; i++ {
				begin := time.Now()
				_, err := v.Verify(t.Context(), c.token)
				best = min(best, time.Since(begin))
				if ReasonOf(err) != set.soon(c) {
					t.Fatalf("%s/%s: %v", set.name, c.name, err)
				}
			}
			if best >= limit {
				t.Errorf("%s/%s: %v at the best of %d attempts, want less than %v", set.name, c.name, best, attempts, limit)
			}
		}
	}
}

// fill adds the key set to options.
func (i *issuer) fill(o Options) Options {
	o.JWKSURL = "https://id.example/jwks?key=hidden"
	o.Client = &http.Client{Transport: i}
	o.Log = slog.New(slog.DiscardHandler)
	o.Now = bubbleClock
	return o
}
