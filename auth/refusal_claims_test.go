package auth

import (
	"fmt"
	"iter"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// numbered yields n texts, each with a number of its own.
func numbered(format string, n int) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := 0; i < n && yield(fmt.Sprintf(format, i)); i++ {
		}
	}
}

// addOrder returns s and the order of Ed25519's group, which a verifier that
// reduces would take for the same (RFC 8032, section 8.4).
func addOrder(s []byte) []byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	little := slices.Clone(s)
	slices.Reverse(little)
	sum := order.Add(order, new(big.Int).SetBytes(little)).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return sum
}

// ownKeys are signed with a key that comes with the token, or is named by it:
// it is not read, the token is held against ours (RFC 8725, section 3.10).
func ownKeys() (vectors []refusal) {
	for _, member := range []string{
		`"jwk":` + jwk("", otherRSA().Public(), ""),
		`"jku":"https://id.example/jwks"`,
		`"jku":"http://127.0.0.1:1/jwks"`,
		`"x5u":"http://127.0.0.1:1/cert"`,
		`"x5u":"file:///etc/passwd"`,
		`"x5c":["MIIB"]`,
		`"x5t":"dGh1bWI"`,
	} {
		header := fmt.Sprintf(`{"alg":"RS256",%s}`, member)
		vectors = append(vectors, refusal{fmt.Sprintf("%.30s", member), compact(header, goodClaims(), jwt.SigningMethodRS256, otherRSA()), ReasonSignature})
	}
	return vectors
}

// badKeyChoice are tokens that the key set alone must refuse.
func badKeyChoice() []refusal {
	under := func(alg, kid string, key any) string { return signed(alg, kid, key) }
	return []refusal{
		{"no kid, several keys", under("RS256", "", rsaKey()), ReasonKey},
		{"empty kid, several keys", compact(`{"alg":"RS256","kid":""}`, goodClaims(), jwt.SigningMethodRS256, rsaKey()), ReasonKey},
		{"no kid, and a jwk of ours", compact(`{"alg":"RS256","jwk":`+jwk("rsa", rsaKey().Public(), "")+`}`, goodClaims(), jwt.SigningMethodRS256, rsaKey()), ReasonKey},
		{"another key by this kid", under("RS256", "rsa", otherRSA()), ReasonSignature},
		{"another Ed25519 key by this kid", under("EdDSA", "ed", otherEd()), ReasonSignature},
		{"PS256 where RS256 is the key's", under("PS256", "rsa", rsaKey()), ReasonAlgorithm},
		{"Ed25519 with another key", compact(`{"alg":"Ed25519","kid":"ed"}`, goodClaims(), jwt.SigningMethodEdDSA, otherEd()), ReasonSignature},
		{"HS256 without a secret", mint(nil), ReasonAlgorithm},
		{"HS256 with the kid and the PEM of a key", compact(`{"alg":"HS256","kid":"rsa"}`, goodClaims(), jwt.SigningMethodHS256, publicPEM(rsaKey().Public())), ReasonAlgorithm},
		{"HS256 with an unknown kid", compact(`{"alg":"HS256","kid":"new"}`, goodClaims(), jwt.SigningMethodHS256, secret), ReasonAlgorithm},
		{"none with an unknown kid", encode(`{"alg":"none","kid":"new"}`) + "." + encode(goodClaims()) + ".", ReasonAlgorithm},
		{"no claims with an unknown kid", compact(`{"alg":"RS256","kid":"new"}`, `[]`, jwt.SigningMethodRS256, rsaKey()), ReasonMalformed},
	}
}

// withoutKid are tokens for each kind of key but one, which may have been published a
// moment ago.
func withoutKid(but string) (vectors []refusal) {
	for alg, token := range map[string]string{
		"RS256": signed("RS256", "", rsaKey()), "ES256": signed("ES256", "", ecKey()), "EdDSA": signed("EdDSA", "", edKey()),
		"Ed25519": compact(`{"alg":"Ed25519"}`, goodClaims(), jwt.SigningMethodES256, ecKey()),
	} {
		if usualName(alg) != but {
			vectors = append(vectors, refusal{alg, token, ReasonAlgorithm})
		}
	}
	return vectors
}

// otherKinds are for a kind of key that may have been published a moment ago under the
// id of another.
func otherKinds() []refusal {
	return []refusal{
		{"RS256 with the EC key's kid", signed("RS256", "ec", rsaKey()), ReasonAlgorithm},
		{"ES256 with the RSA key's kid", signed("ES256", "rsa", ecKey()), ReasonAlgorithm},
		{"EdDSA with the EC key's kid", signed("EdDSA", "ec", edKey()), ReasonAlgorithm},
		{"Ed25519 with the EC key's kid", compact(`{"alg":"Ed25519","kid":"ec"}`, goodClaims(), jwt.SigningMethodEdDSA, edKey()), ReasonAlgorithm},
	}
}

// unknownKeyIDs may have been published a moment ago.
func unknownKeyIDs() (vectors []refusal) {
	for name, kid := range map[string]string{
		"unknown":          "new",
		"in other letters": "RSA",
		"path":             "../../rsa",
		"absolute path":    "/dev/null",
		"address":          "https://evil.example/jwks",
		"SQL":              "' UNION SELECT 'secret' --",
		"command":          "rsa|/bin/true",
		"NUL behind":       "rsa\x00",
		"space behind":     "rsa ",
		"Cyrillic":         "rsа",
		"255 bytes":        strings.Repeat("k", 255),
		"pattern":          "*",
	} {
		header := fmt.Sprintf(`{"alg":"RS256","kid":%s}`, quote(kid))
		vectors = append(vectors, refusal{name, compact(header, goodClaims(), jwt.SigningMethodRS256, rsaKey()), ReasonKey})
	}
	return vectors
}

func badTimes() []refusal {
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	with := func(member string) string { return hs256(`{"sub":"u1",` + member + `}`) }
	return []refusal{
		{"expired long ago", mint(map[string]any{"exp": at(-24 * time.Hour)}), ReasonExpired},
		{"exp zero", with(`"exp":0`), ReasonExpired},
		{"exp a fraction", with(`"exp":0.999`), ReasonExpired},
		{"exp 1e-400", with(`"exp":1e-400`), ReasonExpired},
		{"exp missing", mint(map[string]any{"exp": nil}), ReasonClaimExp},
		{"exp null", with(`"exp":null`), ReasonClaimExp},
		{"exp in capitals", with(`"EXP":4000000000`), ReasonClaimExp},
		{"exp string", with(`"exp":"4000000000"`), ReasonClaimExp},
		{"exp date", with(`"exp":"2096-10-02T07:06:40Z"`), ReasonClaimExp},
		{"exp -1", with(`"exp":-1`), ReasonClaimExp},
		{"exp 1e400", with(`"exp":1e400`), ReasonClaimExp},
		{"exp 1e300", with(`"exp":1e300`), ReasonClaimExp},
		{"exp 1e19", with(`"exp":1e19`), ReasonClaimExp},
		{"exp 2^63", with(`"exp":9223372036854775808`), ReasonClaimExp},
		{"exp in milliseconds", with(`"exp":4000000000000`), ReasonClaimExp},
		{"exp year 10000", with(`"exp":253402300800`), ReasonClaimExp},
		{"exp true", with(`"exp":true`), ReasonClaimExp},
		{"exp list", with(`"exp":[4000000000]`), ReasonClaimExp},
		{"exp object", with(`"exp":{"$gt":0}`), ReasonClaimExp},
		{"nbf in the future", mint(map[string]any{"nbf": at(2 * time.Minute)}), ReasonNotYetValid},
		{"iat in the future", mint(map[string]any{"iat": at(2 * time.Minute)}), ReasonNotYetValid},
		{"nbf string", mint(map[string]any{"nbf": "1"}), ReasonClaimNbf},
		{"nbf negative", mint(map[string]any{"nbf": -1}), ReasonClaimNbf},
		{"iat object", mint(map[string]any{"iat": struct{}{}}), ReasonClaimIat},
		{"iat 1e400", with(`"exp":4000000000,"iat":1e400`), ReasonClaimIat},
		{"expired, and no sub", hs256(`{"exp":1}`), ReasonExpired},
	}
}

func badIssuers() []refusal {
	with := func(iss, aud any) string { return mint(map[string]any{"iss": iss, "aud": aud}) }
	return []refusal{
		{"iss missing", with(nil, ourAudience), ReasonIssuer},
		{"iss empty", with("", ourAudience), ReasonIssuer},
		{"iss with a slash", with(ourIssuer+"/", ourAudience), ReasonIssuer},
		{"iss in capitals", with("https://ID.example", ourAudience), ReasonIssuer},
		{"iss that begins like it", with(ourIssuer+".evil.example", ourAudience), ReasonIssuer},
		{"iss and NUL", with(ourIssuer+"\x00", ourAudience), ReasonIssuer},
		{"iss list", with([]string{ourIssuer}, ourAudience), ReasonIssuer},
		{"iss null", hs256(`{"sub":"u1","exp":4000000000,"iss":null,"aud":"chat"}`), ReasonIssuer},
		{"aud missing", with(ourIssuer, nil), ReasonAudience},
		{"aud empty", with(ourIssuer, ""), ReasonAudience},
		{"aud that begins like it", with(ourIssuer, ourAudience+"s"), ReasonAudience},
		{"aud with others in one text", with(ourIssuer, "chat mail"), ReasonAudience},
		{"aud list without us", with(ourIssuer, []string{"a", "b"}), ReasonAudience},
		{"aud list empty", with(ourIssuer, []string{}), ReasonAudience},
		{"aud list of other things", with(ourIssuer, []any{ourAudience, 1}), ReasonAudience},
		{"aud list in a list", with(ourIssuer, []any{[]any{ourAudience}}), ReasonAudience},
		{"aud object", with(ourIssuer, map[string]any{ourAudience: true}), ReasonAudience},
		{"aud number", with(ourIssuer, 1), ReasonAudience},
		{"expired, and iss wrong", mint(map[string]any{"iss": "x", "exp": 1}), ReasonExpired},
	}
}

func badClaims() []refusal {
	with := func(claim string, value any) string { return mint(map[string]any{claim: value}) }
	tooLong := strings.Repeat("é", 128)
	return []refusal{
		{"sub missing", with("sub", nil), ReasonSubject},
		{"sub null", hs256(`{"sub":null,"exp":4000000000}`), ReasonSubject},
		{"sub empty", with("sub", ""), ReasonSubject},
		{"sub of 256 bytes", with("sub", tooLong), ReasonSubject},
		{"sub with a line end", with("sub", "a\nb"), ReasonSubject},
		{"sub with NUL", with("sub", "a\x00"), ReasonSubject},
		{"sub with DEL", with("sub", "a\x7f"), ReasonSubject},
		{"sub with C1", with("sub", "a\u0085"), ReasonSubject},
		{"sub with lone surrogate", hs256(`{"sub":"a\ud800","exp":4000000000}`), ReasonSubject},
		{"sub with halves in the wrong order", hs256(`{"sub":"\udc00\ud800","exp":4000000000}`), ReasonSubject},
		{"sub with a fraction", with("sub", 1.5), ReasonSubject},
		{"sub with a fraction of nothing", hs256(`{"sub":1.0,"exp":4000000000}`), ReasonSubject},
		{"sub with an exponent", hs256(`{"sub":1e3,"exp":4000000000}`), ReasonSubject},
		{"sub negative zero", hs256(`{"sub":-0,"exp":4000000000}`), ReasonSubject},
		{"sub of 256 digits", hs256(`{"sub":` + strings.Repeat("7", 256) + `,"exp":4000000000}`), ReasonSubject},
		{"sub true", with("sub", true), ReasonSubject},
		{"sub list", with("sub", []string{"u1"}), ReasonSubject},
		{"sub object", with("sub", map[string]any{"id": "u1"}), ReasonSubject},
		{"jti number", with("jti", 1), ReasonClaimJti},
		{"jti empty", with("jti", ""), ReasonClaimJti},
	}
}
