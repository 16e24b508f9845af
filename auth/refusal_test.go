package auth

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// refusal is a token that must be refused, and why.
type refusal struct {
	name   string
	token  string
	reason Reason
}

func checkRefusals(t *testing.T, v Verifier, vectors []refusal) {
	for _, c := range vectors {
		t.Run(c.name, func(t *testing.T) {
			id, err := v.Verify(t.Context(), c.token)
			if id != nil || !errors.Is(err, ErrUnauthorized) || ReasonOf(err) != c.reason {
				t.Fatalf("Verify = %v, %v; want reason %q", id, err, c.reason)
			}
			if len(c.token) > 20 && strings.Contains(err.Error(), c.token[:20]) {
				t.Error("the error quotes the token")
			}
		})
	}
}

// malformed tokens are refused before any key is looked for.
func malformed() []refusal {
	good := mint(nil)
	parts := strings.Split(good, ".")
	bits := good[:len(good)-1] + "B" // 32 octets leave two bits over, which must be 0
	return []refusal{
		{"missing", "", ReasonMissing},
		{"one letter", "a", ReasonMalformed},
		{"dots", "..", ReasonMalformed},
		{"a million dots", strings.Repeat(".", 1_000_000), ReasonTooLarge},
		{"too large", hs256(`{"a":"` + strings.Repeat("x", MaxTokenSize) + `"}`), ReasonTooLarge},
		{"kid of 1 MB", compact(`{"alg":"HS256","kid":"`+strings.Repeat("k", 1<<20)+`"}`, `{}`, jwt.SigningMethodHS256, secret), ReasonTooLarge},
		{"kid of 256 octets", compact(`{"alg":"HS256","kid":"`+strings.Repeat("k", 256)+`"}`, `{}`, jwt.SigningMethodHS256, secret), ReasonMalformed},
		{"two parts", parts[0] + "." + parts[1], ReasonMalformed},
		{"four parts", good + ".", ReasonMalformed},
		{"padding", good + "=", ReasonMalformed},
		{"trailing bits", bits, ReasonMalformed},
		{"line end inside", good[:10] + "\n" + good[10:], ReasonMalformed},
		{"carriage return at end", good + "\r", ReasonMalformed},
		{"space before", " " + good, ReasonMalformed},
		{"standard alphabet", parts[0] + "." + parts[1] + ".+/+/", ReasonMalformed},
		{"header is no JSON", encode(`{"alg":"HS256"`) + "." + parts[1] + "." + parts[2], ReasonMalformed},
		{"header is a list", encode(`["HS256"]`) + "." + parts[1] + "." + parts[2], ReasonMalformed},
		{"alg twice", compact(`{"alg":"none","alg":"HS256"}`, `{}`, jwt.SigningMethodHS256, secret), ReasonMalformed},
		{"alg is a number", compact(`{"alg":256}`, `{}`, jwt.SigningMethodHS256, secret), ReasonMalformed},
		{"kid is a number", compact(`{"alg":"HS256","kid":1}`, `{}`, jwt.SigningMethodHS256, secret), ReasonMalformed},
		{"crit", compact(`{"alg":"HS256","crit":["exp"]}`, `{}`, jwt.SigningMethodHS256, secret), ReasonMalformed},
		{"crit empty", compact(`{"alg":"HS256","crit":[]}`, `{}`, jwt.SigningMethodHS256, secret), ReasonMalformed},
		{"claims are no JSON", hs256(`{"sub":"u1"`), ReasonMalformed},
		{"claims are a list", hs256(`[]`), ReasonMalformed},
		{"claims are empty", hs256(``), ReasonMalformed},
		{"claims are not UTF-8", hs256("{\"sub\":\"\xff\"}"), ReasonMalformed},
		{"claim twice", hs256(`{"sub":"u1","exp":4e9,"sub":"u2"}`), ReasonMalformed},
		{"alg absent", compact(`{"typ":"JWT"}`, `{}`, jwt.SigningMethodHS256, secret), ReasonAlgorithm},
		{"alg empty", compact(`{"alg":""}`, `{}`, jwt.SigningMethodHS256, secret), ReasonAlgorithm},
		{"alg none", encode(`{"alg":"none"}`) + "." + parts[1] + ".", ReasonAlgorithm},
		{"alg None", encode(`{"alg":"None"}`) + "." + parts[1] + ".", ReasonAlgorithm},
		{"alg nOnE", encode(`{"alg":"nOnE"}`) + "." + parts[1] + ".", ReasonAlgorithm},
		{"alg hs256", compact(`{"alg":"hs256"}`, `{}`, jwt.SigningMethodHS256, secret), ReasonAlgorithm},
	}
}

func TestRefuseMalformed(t *testing.T) {
	t.Parallel()
	checkRefusals(t, newJWT(t, Options{HMACSecret: secret}), malformed())
}

func TestRefuseSignature(t *testing.T) {
	t.Parallel()
	good := mint(nil)
	header, _, _ := strings.Cut(good, ".")
	_, forged, _ := strings.Cut(mint(map[string]any{"sub": "admin"}), ".")
	forged, _, _ = strings.Cut(forged, ".")
	checkRefusals(t, newJWT(t, Options{HMACSecret: secret}), []refusal{
		{"none", good[:strings.LastIndexByte(good, '.')+1], ReasonSignature},
		{"of another token", header + "." + forged + good[strings.LastIndexByte(good, '.'):], ReasonSignature},
		{"of another secret", must(Mint([]byte(strings.Repeat("x", 32)), claimSet(nil))), ReasonSignature},
		{"expired too", must(Mint([]byte(strings.Repeat("x", 32)), claimSet(map[string]any{"exp": 1}))), ReasonSignature},
		{"HS512 with the same secret", compact(`{"alg":"HS512"}`, `{}`, jwt.SigningMethodHS512, secret), ReasonAlgorithm},
	})
}

func TestRefuseAlgorithmConfusion(t *testing.T) {
	t.Parallel()
	rsaPEM, ecPEM := publicPEM(rsaKey().Public()), publicPEM(ecKey().Public())
	claims := string(must(json.Marshal(claimSet(nil))))
	hmacWith := func(key []byte) string {
		return compact(`{"alg":"HS256"}`, claims, jwt.SigningMethodHS256, key)
	}
	t.Run("RSA key", func(t *testing.T) {
		checkRefusals(t, newJWT(t, Options{PublicKey: rsaPEM}), []refusal{
			{"HS256 with the PEM", hmacWith(rsaPEM), ReasonAlgorithm},
			{"HS256 with the DER", hmacWith(must(x509.MarshalPKIXPublicKey(rsaKey().Public()))), ReasonAlgorithm},
			{"PS256", signed("PS256", "", rsaKey()), ReasonAlgorithm},
			{"RS512", signed("RS512", "", rsaKey()), ReasonAlgorithm},
			{"ES256", signed("ES256", "", ecKey()), ReasonAlgorithm},
			{"another RSA key", signed("RS256", "", otherRSA()), ReasonSignature},
		})
	})
	t.Run("EC key", func(t *testing.T) {
		checkRefusals(t, newJWT(t, Options{PublicKey: ecPEM}), []refusal{
			{"HS256 with the PEM", hmacWith(ecPEM), ReasonAlgorithm},
			{"RS256", signed("RS256", "", rsaKey()), ReasonAlgorithm},
		})
	})
}

// A signature for ES256 is r and s, 32 octets each (RFC 7518, section 3.4).
func TestRefuseECDSASignatureForms(t *testing.T) {
	t.Parallel()
	good := signed("ES256", "", ecKey())
	dot := strings.LastIndexByte(good, '.')
	raw := must(base64.RawURLEncoding.DecodeString(good[dot+1:]))
	der := must(asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])}))
	with := func(signature []byte) string { return good[:dot+1] + base64.RawURLEncoding.EncodeToString(signature) }
	v := newJWT(t, Options{PublicKey: publicPEM(ecKey().Public())})
	checkRefusals(t, v, []refusal{
		{"zero", with(make([]byte, 64)), ReasonSignature},
		{"DER", with(der), ReasonSignature},
		{"too long", with(append(raw[:64:64], 0)), ReasonSignature},
		{"too short", with(raw[:63]), ReasonSignature},
		{"empty", with(nil), ReasonSignature},
	})
	if _, err := v.Verify(t.Context(), good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

// A key that comes with the token is not read: the token is held against ours.
func TestRefuseKeysFromToken(t *testing.T) {
	t.Parallel()
	claims := string(must(json.Marshal(claimSet(nil))))
	v := newJWT(t, Options{PublicKey: publicPEM(rsaKey().Public())})
	for _, member := range []string{
		`"jwk":` + jwk("", otherRSA().Public(), ""), `"jku":"http://127.0.0.1:1/jwks"`,
		`"x5u":"http://127.0.0.1:1/cert"`, `"x5c":["MIIB"]`,
	} {
		header := fmt.Sprintf(`{"alg":"RS256",%s}`, member)
		_, err := v.Verify(t.Context(), compact(header, claims, jwt.SigningMethodRS256, otherRSA()))
		if ReasonOf(err) != ReasonSignature {
			t.Errorf("%.6s, signed with the key it brings: %v", member, err)
		}
		if _, err = v.Verify(t.Context(), compact(header, claims, jwt.SigningMethodRS256, rsaKey())); err != nil {
			t.Errorf("%.6s, signed with our key: %v", member, err)
		}
	}
}

func TestRefuseTimes(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	with := func(member string) string { return hs256(`{"sub":"u1",` + member + `}`) }
	checkRefusals(t, newJWT(t, Options{HMACSecret: secret}), []refusal{
		{"expired by leeway + 1 s", mint(map[string]any{"exp": at(-31 * time.Second)}), ReasonExpired},
		{"expired by leeway", mint(map[string]any{"exp": at(-30 * time.Second)}), ReasonExpired},
		{"exp zero", with(`"exp":0`), ReasonExpired},
		{"exp missing", mint(map[string]any{"exp": nil}), ReasonClaims},
		{"exp null", with(`"exp":null`), ReasonClaims},
		{"exp string", with(`"exp":"4000000000"`), ReasonClaims},
		{"exp negative", with(`"exp":-1`), ReasonClaims},
		{"exp 1e400", with(`"exp":1e400`), ReasonClaims},
		{"exp 1e300", with(`"exp":1e300`), ReasonClaims},
		{"exp true", with(`"exp":true`), ReasonClaims},
		{"exp list", with(`"exp":[4000000000]`), ReasonClaims},
		{"nbf in the future", mint(map[string]any{"nbf": at(31 * time.Second)}), ReasonNotYetValid},
		{"iat in the future", mint(map[string]any{"iat": at(31 * time.Second)}), ReasonNotYetValid},
		{"nbf string", mint(map[string]any{"nbf": "1"}), ReasonClaims},
		{"iat object", mint(map[string]any{"iat": struct{}{}}), ReasonClaims},
	})
}

func TestRefuseIssuerAndAudience(t *testing.T) {
	t.Parallel()
	with := func(iss, aud any) string { return mint(map[string]any{"iss": iss, "aud": aud}) }
	checkRefusals(t, newJWT(t, Options{HMACSecret: secret, Issuer: "https://id.example", Audience: "chat"}), []refusal{
		{"iss missing", with(nil, "chat"), ReasonIssuer},
		{"iss wrong", with("https://id.example/", "chat"), ReasonIssuer},
		{"iss list", with([]string{"https://id.example"}, "chat"), ReasonIssuer},
		{"aud missing", with("https://id.example", nil), ReasonAudience},
		{"aud wrong", with("https://id.example", "chats"), ReasonAudience},
		{"aud list without us", with("https://id.example", []string{"a", "b"}), ReasonAudience},
		{"aud list empty", with("https://id.example", []string{}), ReasonAudience},
		{"aud list of other things", with("https://id.example", []any{"chat", 1}), ReasonAudience},
		{"aud number", with("https://id.example", 1), ReasonAudience},
	})
}

func TestRefuseClaims(t *testing.T) {
	t.Parallel()
	with := func(claim string, value any) string { return mint(map[string]any{claim: value}) }
	tooLong := strings.Repeat("é", 128)
	vectors := []refusal{
		{"sub missing", with("sub", nil), ReasonSubject},
		{"sub null", hs256(`{"sub":null,"exp":4000000000}`), ReasonSubject},
		{"sub empty", with("sub", ""), ReasonSubject},
		{"sub of 256 octets", with("sub", tooLong), ReasonSubject},
		{"sub with a line end", with("sub", "a\nb"), ReasonSubject},
		{"sub with NUL", with("sub", "a\x00"), ReasonSubject},
		{"sub with C1", with("sub", "a\u0085"), ReasonSubject},
		{"sub with lone surrogate", hs256(`{"sub":"a\ud800","exp":4000000000}`), ReasonSubject},
		{"sub number", with("sub", 42), ReasonSubject},
		{"sub object", with("sub", map[string]any{"id": "u1"}), ReasonSubject},
		{"jti number", with("jti", 1), ReasonClaims},
		{"jti empty", with("jti", ""), ReasonClaims},
		{"email number", with("email", 1), ReasonClaims},
		{"email list", with("email", []string{"a@b.example"}), ReasonClaims},
		{"role number", with("role", 1), ReasonClaims},
		{"role list", with("role", []string{"admin"}), ReasonClaims},
		{"role empty", with("role", ""), ReasonClaims},
		{"topic with star inside", with("topics", []string{"a*b"}), ReasonClaims},
		{"topic with two stars", with("topics", "a**"), ReasonClaims},
	}
	for _, claim := range []string{"roles", "permissions", "topics"} {
		vectors = append(vectors,
			refusal{claim + " number", with(claim, 7), ReasonClaims},
			refusal{claim + " true", with(claim, true), ReasonClaims},
			refusal{claim + " object", with(claim, map[string]any{"admin": true}), ReasonClaims},
			refusal{claim + " list with number", with(claim, []any{"a", 7}), ReasonClaims},
			refusal{claim + " list with null", with(claim, []any{nil}), ReasonClaims},
			refusal{claim + " list with list", with(claim, []any{[]any{"a"}}), ReasonClaims},
			refusal{claim + " empty name", with(claim, []string{""}), ReasonClaims},
			refusal{claim + " too long", with(claim, []string{tooLong}), ReasonClaims},
			refusal{claim + " control character", with(claim, "a\t"), ReasonClaims},
		)
	}
	checkRefusals(t, newJWT(t, Options{HMACSecret: secret}), vectors)
}
