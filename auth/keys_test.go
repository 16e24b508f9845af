package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// now is the time of every test that does not move the clock.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

var secret = []byte("0123456789abcdef0123456789abcdef")

// Keys are slow to make, so the tests share them.
var (
	rsaKey     = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey      = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	otherCurve = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	otherEd    = sync.OnceValue(func() ed25519.PrivateKey { _, k, err := ed25519.GenerateKey(rand.Reader); return must(k, err) })
	edKey      = sync.OnceValue(func() ed25519.PrivateKey { _, k, err := ed25519.GenerateKey(rand.Reader); return must(k, err) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func publicPEM(key any) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key))})
}

// claimSet is a good claim set with changes: a nil value removes a claim.
func claimSet(changes map[string]any) map[string]any {
	set := map[string]any{
		"sub": "u1",
		"exp": now.Add(time.Hour).Unix(),
		"iat": now.Unix(),
	}
	maps.Copy(set, changes)
	maps.DeleteFunc(set, func(_ string, v any) bool { return v == nil })
	return set
}

func quote(text string) string { return string(must(json.Marshal(text))) }

func encode(data string) string { return base64.RawURLEncoding.EncodeToString([]byte(data)) }

// compact signs a header and a claim set that are given as text.
func compact(header, claims string, method jwt.SigningMethod, key any) string {
	signed := encode(header) + "." + encode(claims)
	return signed + "." + encode(string(must(method.Sign(signed, key))))
}

// hs256 signs claims given as text with the shared secret.
func hs256(claims string) string {
	return compact(`{"alg":"HS256","typ":"JWT"}`, claims, jwt.SigningMethodHS256, secret)
}

// mint signs a claim set with the shared secret.
func mint(changes map[string]any) string { return must(Mint(secret, claimSet(changes))) }

// signed signs a good claim set with an asymmetric key; an empty kid is left out.
func signed(alg, kid string, key crypto.PrivateKey) string {
	header := fmt.Sprintf(`{"alg":%q,"kid":%q}`, alg, kid)
	if kid == "" {
		header = fmt.Sprintf(`{"alg":%q}`, alg)
	}
	return compact(header, string(must(json.Marshal(claimSet(nil)))), jwt.GetSigningMethod(alg), key)
}

// newJWT makes a verifier that lives as long as the test.
func newJWT(t testing.TB, o Options) *JWT {
	t.Helper()
	if o.Now == nil {
		o.Now = clock
	}
	j, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

// jwk is the JSON of a public key; more is appended inside the object.
func jwk(kid string, key crypto.PublicKey, more string) string {
	var members []string
	if kid != "" {
		members = append(members, fmt.Sprintf(`"kid":%q`, kid))
	}
	b64 := base64.RawURLEncoding.EncodeToString
	switch k := key.(type) {
	case *rsa.PublicKey:
		members = append(members, fmt.Sprintf(`"kty":"RSA","n":%q,"e":"AQAB"`, b64(k.N.Bytes())))
	case *ecdsa.PublicKey:
		point := must(k.Bytes())
		half := (len(point) - 1) / 2
		members = append(members, fmt.Sprintf(`"kty":"EC","crv":%q,"x":%q,"y":%q`,
			k.Curve.Params().Name, b64(point[1:1+half]), b64(point[1+half:])))
	case ed25519.PublicKey:
		members = append(members, fmt.Sprintf(`"kty":"OKP","crv":"Ed25519","x":%q`, b64(k)))
	}
	if more != "" {
		members = append(members, more)
	}
	return "{" + strings.Join(members, ",") + "}"
}

func jwkSet(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }
