package auth

import (
	"bytes"
	"compress/flate"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// goodClaims is the text of a good claim set.
func goodClaims() string { return string(must(json.Marshal(claimSet(nil)))) }

// withHeader is a good token but for its header.
func withHeader(header string) string {
	return compact(header, goodClaims(), jwt.SigningMethodHS256, secret)
}

// part returns a token with one of its parts replaced.
func part(token string, i int, with string) string {
	parts := strings.Split(token, ".")
	parts[i] = with
	return strings.Join(parts, ".")
}

// malformed tokens are refused before any key is looked for.
func malformed() []refusal {
	good := mint(nil)
	parts := strings.Split(good, ".")
	bits := good[:len(good)-1] + "B" // 32 bytes leave two bits over, which must be 0
	return []refusal{
		{"missing", "", ReasonMissing},
		{"one letter", "a", ReasonMalformed},
		{"one dot", ".", ReasonMalformed},
		{"dots", "..", ReasonMalformed},
		{"a million dots", strings.Repeat(".", 1_000_000), ReasonTooLarge},
		{"8 KiB of dots", strings.Repeat(".", MaxTokenSize), ReasonMalformed},
		{"too large", hs256(`{"a":"` + strings.Repeat("x", MaxTokenSize) + `"}`), ReasonTooLarge},
		{"two parts", parts[0] + "." + parts[1], ReasonMalformed},
		{"four parts", good + ".", ReasonMalformed},
		{"five parts", good + ".." + parts[2], ReasonMalformed},
		{"a part before", "." + good, ReasonMalformed},
		{"no header", part(good, 0, ""), ReasonMalformed},
		{"no claims", part(good, 1, ""), ReasonMalformed},
		{"padding", good + "=", ReasonMalformed},
		{"padded header", part(good, 0, parts[0]+"="), ReasonMalformed},
		{"trailing bits", bits, ReasonMalformed},
		{"line end inside", good[:10] + "\n" + good[10:], ReasonMalformed},
		{"line end inside the claims", part(good, 1, parts[1][:4]+"\r\n"+parts[1][4:]), ReasonMalformed},
		{"carriage return at end", good + "\r", ReasonMalformed},
		{"space before", " " + good, ReasonMalformed},
		{"space behind", good + " ", ReasonMalformed},
		{"tab inside", good[:10] + "\t" + good[10:], ReasonMalformed},
		{"NUL behind", good + "\x00", ReasonMalformed},
		{"percent-encoded", strings.ReplaceAll(good, ".", "%2E"), ReasonMalformed},
		{"full-width dots", strings.ReplaceAll(good, ".", "．"), ReasonMalformed},
		{"standard alphabet", part(good, 2, "+/+/"), ReasonMalformed},
		{"something behind", good + "!", ReasonMalformed},
		{"with its scheme", "Bearer " + good, ReasonMalformed},
		{"in quotes", `"` + good + `"`, ReasonMalformed},
		{"JSON serialization", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, ReasonMalformed},
		{"not UTF-8", "\xff\xfe." + parts[1] + "." + parts[2], ReasonMalformed},
	}
}

func badHeaders() []refusal {
	good := mint(nil)
	unsigned := func(header string) string { return encode(header) + "." + encode(goodClaims()) + "." }
	return []refusal{
		{"cut", part(good, 0, encode(`{"alg":"HS256"`)), ReasonMalformed},
		{"a list", part(good, 0, encode(`["HS256"]`)), ReasonMalformed},
		{"null", part(good, 0, encode(`null`)), ReasonMalformed},
		{"two objects", withHeader(`{"alg":"HS256"}{"alg":"HS256"}`), ReasonMalformed},
		{"byte order mark", withHeader("\ufeff" + `{"alg":"HS256"}`), ReasonMalformed},
		{"not UTF-8", withHeader("{\"alg\":\"HS256\",\"x\":\"\xff\"}"), ReasonMalformed},
		{"alg twice", withHeader(`{"alg":"none","alg":"HS256"}`), ReasonMalformed},
		{"alg twice, once escaped", withHeader(`{"\u0061lg":"none","alg":"HS256"}`), ReasonMalformed},
		{"kid twice", withHeader(`{"alg":"HS256","kid":"a","kid":"b"}`), ReasonMalformed},
		{"257 members", withHeader(`{"alg":"HS256"` + strings.Join(slices.Collect(numbered(`,"%d":0`, 256)), "") + `}`), ReasonMalformed},
		{"alg number", withHeader(`{"alg":256}`), ReasonMalformed},
		{"alg list", withHeader(`{"alg":["HS256"]}`), ReasonMalformed},
		{"alg null", withHeader(`{"alg":null}`), ReasonMalformed},
		{"kid number", withHeader(`{"alg":"HS256","kid":1}`), ReasonMalformed},
		{"kid object", withHeader(`{"alg":"HS256","kid":{}}`), ReasonMalformed},
		{"kid lone surrogate", withHeader(`{"alg":"HS256","kid":"\udfff"}`), ReasonMalformed},
		{"kid of 256 bytes", withHeader(`{"alg":"HS256","kid":"` + strings.Repeat("k", 256) + `"}`), ReasonMalformed},
		{"kid of 1 MB", withHeader(`{"alg":"HS256","kid":"` + strings.Repeat("k", 1<<20) + `"}`), ReasonTooLarge},
		{"alg of 1,000 bytes", withHeader(`{"alg":"` + strings.Repeat("A", 1000) + `"}`), ReasonMalformed},
		{"crit", withHeader(`{"alg":"HS256","crit":["exp"]}`), ReasonMalformed},
		{"crit empty", withHeader(`{"alg":"HS256","crit":[]}`), ReasonMalformed},
		{"crit null", withHeader(`{"alg":"HS256","crit":null}`), ReasonMalformed},
		{"crit with b64", withHeader(`{"alg":"HS256","b64":false,"crit":["b64"]}`), ReasonMalformed},
		{"b64 false", rawPayload(`{"alg":"HS256","b64":false}`, `{"sub":"u1","exp":4000000000}`), ReasonMalformed},
		{"zip", compact(`{"alg":"HS256","zip":"DEF"}`, deflated(goodClaims()), jwt.SigningMethodHS256, secret), ReasonMalformed},
		{"nested token", compact(`{"alg":"HS256","cty":"JWT"}`, good, jwt.SigningMethodHS256, secret), ReasonMalformed},
		{"JWE", unsigned(`{"alg":"dir","enc":"A256GCM"}`), ReasonAlgorithm},
		{"alg absent", withHeader(`{"typ":"JWT"}`), ReasonAlgorithm},
		{"alg in capitals", withHeader(`{"ALG":"HS256"}`), ReasonAlgorithm},
		{"alg empty", withHeader(`{"alg":""}`), ReasonAlgorithm},
		{"alg none", unsigned(`{"alg":"none"}`), ReasonAlgorithm},
		{"alg None", unsigned(`{"alg":"None"}`), ReasonAlgorithm},
		{"alg nOnE", unsigned(`{"alg":"nOnE"}`), ReasonAlgorithm},
		{"alg NONE with a signature", withHeader(`{"alg":"NONE"}`), ReasonAlgorithm},
		{"alg none, escaped", unsigned(`{"alg":"\u006eone"}`), ReasonAlgorithm},
		{"alg none and NUL", unsigned(`{"alg":"none\u0000"}`), ReasonAlgorithm},
		{"alg hs256", withHeader(`{"alg":"hs256"}`), ReasonAlgorithm},
		{"alg ed25519", withHeader(`{"alg":"ed25519"}`), ReasonAlgorithm},
		{"alg Ed448", withHeader(`{"alg":"Ed448"}`), ReasonAlgorithm},
		{"alg with a space", withHeader(`{"alg":"HS256 "}`), ReasonAlgorithm},
		{"alg with a Cyrillic letter", withHeader(`{"alg":"НS256"}`), ReasonAlgorithm},
		{"alg in full width", withHeader(`{"alg":"ＨＳ２５６"}`), ReasonAlgorithm},
	}
}

// rawPayload signs a payload that is not encoded, as RFC 7797 has it.
func rawPayload(header, payload string) string {
	signed := encode(header) + "." + payload
	return signed + "." + encode(string(must(jwt.SigningMethodHS256.Sign(signed, secret))))
}

func deflated(text string) string {
	var out bytes.Buffer
	w := must(flate.NewWriter(&out, flate.BestCompression))
	_ = must(w.Write([]byte(text)))
	_ = w.Close()
	return out.String()
}

func badJSON() []refusal {
	return []refusal{
		{"cut", hs256(`{"sub":"u1"`), ReasonMalformed},
		{"a list", hs256(`[]`), ReasonMalformed},
		{"a string", hs256(`"u1"`), ReasonMalformed},
		{"null", hs256(`null`), ReasonMalformed},
		{"nothing", hs256(``), ReasonMalformed},
		{"two objects", hs256(`{"sub":"u1"}{"exp":4e9}`), ReasonMalformed},
		{"comma at the end", hs256(`{"sub":"u1","exp":4e9,}`), ReasonMalformed},
		{"comment", hs256(`{"sub":"u1","exp":4e9}//`), ReasonMalformed},
		{"single quotes", hs256(`{'sub':'u1','exp':4e9}`), ReasonMalformed},
		{"byte order mark", hs256("\ufeff" + `{"sub":"u1","exp":4e9}`), ReasonMalformed},
		{"UTF-16", hs256("{\x00}\x00"), ReasonMalformed},
		{"not UTF-8", hs256("{\"sub\":\"\xff\"}"), ReasonMalformed},
		{"surrogates in UTF-8", hs256("{\"sub\":\"\xed\xa0\x80\"}"), ReasonMalformed},
		{"raw line end in a string", hs256("{\"sub\":\"a\nb\"}"), ReasonMalformed},
		{"claim twice", hs256(`{"sub":"u1","exp":4e9,"sub":"u2"}`), ReasonMalformed},
		{"claim twice, once escaped", hs256(`{"sub":"u1","exp":4e9,"\u0073ub":"u2"}`), ReasonMalformed},
		{"claim twice, once null", hs256(`{"sub":null,"exp":4e9,"sub":"u2"}`), ReasonMalformed},
		{"lone surrogate as a name", hs256(`{"\ud800":1,"sub":"u1","exp":4e9}`), ReasonMalformed},
		{"257 claims", hs256(`{"sub":"u1","exp":4e9` + strings.Join(slices.Collect(numbered(`,"%d":0`, 255)), "") + `}`), ReasonMalformed},
		{"open brackets", hs256(strings.Repeat("[", 5900)), ReasonMalformed},
		{"open braces", hs256(strings.Repeat(`{"a":`, 1180)), ReasonMalformed},
		{"nested lists as exp", hs256(`{"sub":"u1","exp":` + strings.Repeat("[", 2900) + strings.Repeat("]", 2900) + `}`), ReasonClaimExp},
		{"exp NaN", hs256(`{"sub":"u1","exp":NaN}`), ReasonMalformed},
		{"exp Infinity", hs256(`{"sub":"u1","exp":Infinity}`), ReasonMalformed},
		{"exp hexadecimal", hs256(`{"sub":"u1","exp":0xffffffff}`), ReasonMalformed},
		{"exp with a plus", hs256(`{"sub":"u1","exp":+4000000000}`), ReasonMalformed},
		{"exp with a leading zero", hs256(`{"sub":"u1","exp":04000000000}`), ReasonMalformed},
	}
}

func badHMAC() []refusal {
	good := mint(nil)
	sum := must(base64.RawURLEncoding.DecodeString(good[strings.LastIndexByte(good, '.')+1:]))
	with := func(signature []byte) string { return part(good, 2, encode(string(signature))) }
	by := func(key []byte) string {
		return compact(`{"alg":"HS256"}`, goodClaims(), jwt.SigningMethodHS256, key)
	}
	return []refusal{
		{"none", with(nil), ReasonSignature},
		{"zeros", with(make([]byte, 32)), ReasonSignature},
		{"cut to 16 bytes", with(sum[:16]), ReasonSignature},
		{"cut to 31 bytes", with(sum[:31]), ReasonSignature},
		{"something behind", with(append(sum[:32:32], 0, 0, 0)), ReasonSignature},
		{"twice", with(append(sum[:32:32], sum...)), ReasonSignature},
		{"of other claims", part(good, 1, encode(strings.Replace(goodClaims(), "u1", "root", 1))), ReasonSignature},
		{"of another header", part(good, 0, encode(`{"alg":"HS256"}`)), ReasonSignature},
		{"of another secret", by(bytes.Repeat([]byte("x"), 32)), ReasonSignature},
		{"of no secret", by(nil), ReasonSignature},
		{"of the secret and NUL", by(append(bytes.Clone(secret), 0, 'x')), ReasonSignature},
		{"of the secret's name", by([]byte("HMACSecret")), ReasonSignature},
		{"of another secret, and expired", must(Mint(bytes.Repeat([]byte("x"), 32), claimSet(map[string]any{"exp": 1}))), ReasonSignature},
		{"of another secret, and no claims", compact(`{"alg":"HS256"}`, `{}`, jwt.SigningMethodHS256, bytes.Repeat([]byte("x"), 32)), ReasonSignature},
		{"HS384 with the same secret", compact(`{"alg":"HS384"}`, goodClaims(), jwt.SigningMethodHS384, secret), ReasonAlgorithm},
		{"HS512 with the same secret", compact(`{"alg":"HS512"}`, goodClaims(), jwt.SigningMethodHS512, secret), ReasonAlgorithm},
		{"HS512 by name only", withHeader(`{"alg":"HS512"}`), ReasonAlgorithm},
	}
}

// hmacWith signs with a public key as if it were a secret.
func hmacWith(key []byte) string {
	return compact(`{"alg":"HS256"}`, goodClaims(), jwt.SigningMethodHS256, key)
}

func badRSA() []refusal {
	good := signed("RS256", "", rsaKey())
	public := rsaKey().Public()
	size := rsaKey().Size()
	with := func(signature []byte) string { return part(good, 2, encode(string(signature))) }
	return []refusal{
		{"HS256 with the PEM", hmacWith(publicPEM(public)), ReasonAlgorithm},
		{"HS256 with the PEM without its line end", hmacWith(bytes.TrimSpace(publicPEM(public))), ReasonAlgorithm},
		{"HS256 with the DER", hmacWith(must(x509.MarshalPKIXPublicKey(public))), ReasonAlgorithm},
		{"HS256 with PKCS #1", hmacWith(x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)), ReasonAlgorithm},
		{"HS256 with the JWK", hmacWith([]byte(jwk("rsa", public, ""))), ReasonAlgorithm},
		{"HS256 with the modulus", hmacWith(rsaKey().N.Bytes()), ReasonAlgorithm},
		{"PS256", signed("PS256", "", rsaKey()), ReasonAlgorithm},
		{"PS256 by another name", part(signed("PS256", "", rsaKey()), 0, encode(`{"alg":"RS256"}`)), ReasonSignature},
		{"RS512", signed("RS512", "", rsaKey()), ReasonAlgorithm},
		{"RS512 by another name", part(signed("RS512", "", rsaKey()), 0, encode(`{"alg":"RS256"}`)), ReasonSignature},
		{"another RSA key", signed("RS256", "", otherRSA()), ReasonSignature},
		{"empty", with(nil), ReasonSignature},
		{"zeros", with(make([]byte, size)), ReasonSignature},
		{"one", with(append(make([]byte, size-1), 1)), ReasonSignature},
		{"the modulus", with(rsaKey().N.Bytes()), ReasonSignature},
		{"one byte short", with(bytes.Repeat([]byte{1}, size-1)), ReasonSignature},
		{"one byte more", with(bytes.Repeat([]byte{1}, size+1)), ReasonSignature},
	}
}

// A signature for ES256 is r and s, 32 bytes each (RFC 7518, section 3.4).
func badECDSA() []refusal {
	good := signed("ES256", "", ecKey())
	raw := must(base64.RawURLEncoding.DecodeString(good[strings.LastIndexByte(good, '.')+1:]))
	r, s := raw[:32], raw[32:]
	order := elliptic.P256().Params().N.Bytes()
	der := must(asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)}))
	with := func(parts ...[]byte) string { return part(good, 2, encode(string(slices.Concat(parts...)))) }
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	zero := make([]byte, 32)
	return []refusal{
		{"HS256 with the PEM", hmacWith(publicPEM(ecKey().Public())), ReasonAlgorithm},
		{"HS256 with the point", hmacWith(must(ecKey().PublicKey.Bytes())), ReasonAlgorithm},
		{"ES384", signed("ES384", "", p384), ReasonAlgorithm},
		{"ES256K", withHeader(`{"alg":"ES256K"}`), ReasonAlgorithm},
		{"another key", signed("ES256", "", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))), ReasonSignature},
		{"r and s zero", with(zero, zero), ReasonSignature},
		{"r zero", with(zero, s), ReasonSignature},
		{"s zero", with(r, zero), ReasonSignature},
		{"r and s the order", with(order, order), ReasonSignature},
		{"s the order", with(r, order), ReasonSignature},
		{"r and s too large", with(bytes.Repeat([]byte{0xff}, 64)), ReasonSignature},
		{"r and s swapped", with(s, r), ReasonSignature},
		{"DER", with(der), ReasonSignature},
		{"too long", with(raw, []byte{0}), ReasonSignature},
		{"too short", with(raw[:63]), ReasonSignature},
		{"padded to 48 bytes each", with(make([]byte, 16), r, make([]byte, 16), s), ReasonSignature},
		{"empty", with(), ReasonSignature},
	}
}

// An Ed25519 signature is R and S, 32 bytes each (RFC 8032, section 5.1.6).
func badEd25519() []refusal {
	good := signed("EdDSA", "", edKey())
	raw := must(base64.RawURLEncoding.DecodeString(good[strings.LastIndexByte(good, '.')+1:]))
	with := func(signature []byte) string { return part(good, 2, encode(string(signature))) }
	return []refusal{
		{"HS256 with the key", hmacWith(edKey().Public().(ed25519.PublicKey)), ReasonAlgorithm},
		{"another key", signed("EdDSA", "", otherEd()), ReasonSignature},
		{"another key, by the new name", compact(`{"alg":"Ed25519"}`, goodClaims(), jwt.SigningMethodEdDSA, otherEd()), ReasonSignature},
		{"another algorithm by the new name", compact(`{"alg":"Ed25519"}`, goodClaims(), jwt.SigningMethodES256, ecKey()), ReasonSignature},
		{"zeros", with(make([]byte, 64)), ReasonSignature},
		{"S and the group's order", with(append(raw[:32:32], addOrder(raw[32:])...)), ReasonSignature},
		{"too short", with(raw[:63]), ReasonSignature},
		{"too long", with(append(raw[:64:64], 0)), ReasonSignature},
		{"empty", with(nil), ReasonSignature},
	}
}
