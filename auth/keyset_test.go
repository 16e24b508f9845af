package auth

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// rsaJWK is a JWK with a modulus of so many bits, and any exponent.
func rsaJWK(bits int, e, more string) string {
	n := must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(bits-1))))
	n.SetBit(n.SetBit(n, bits-1, 1), 0, 1)
	return fmt.Sprintf(`{"kid":"a","kty":"RSA","n":%q,"e":%q%s}`, base64.RawURLEncoding.EncodeToString(n.Bytes()), e, more)
}

func ecJWK(crv, x, y string) string {
	return fmt.Sprintf(`{"kid":"a","kty":"EC","crv":%q,"x":%q,"y":%q}`, crv, x, y)
}

func edJWK(x []byte) string {
	return fmt.Sprintf(`{"kid":"a","kty":"OKP","crv":"Ed25519","x":%q}`, base64.RawURLEncoding.EncodeToString(x))
}

// unusableKeys are entries of a key set that no token may be verified with.
func unusableKeys() map[string]string {
	b64 := base64.RawURLEncoding.EncodeToString
	private := jwk("a", rsaKey().Public(), `"d":"`+b64(rsaKey().D.Bytes())+`"`)
	order := elliptic.P256().Params()
	return map[string]string{
		"number": `7`, "null": `null`, "text": `"a"`, "nothing": `{}`, "list": `[]`,
		"no kty":                    `{"kid":"a","n":"AQAB","e":"AQAB"}`,
		"unknown kty":               `{"kid":"a","kty":"new"}`,
		"kty as a number":           `{"kid":"a","kty":1}`,
		"kid as a number":           jwk("", rsaKey().Public(), `"kid":7`),
		"symmetric":                 `{"kid":"a","kty":"oct","k":"` + b64(secret) + `"}`,
		"symmetric for HS256":       `{"kid":"a","kty":"oct","alg":"HS256","k":"` + b64(secret) + `"}`,
		"RSA of 1024 bits":          rsaJWK(1024, "AQAB", ""),
		"RSA of 2047 bits":          rsaJWK(2047, "AQAB", ""),
		"RSA of 8193 bits":          rsaJWK(8193, "AQAB", ""),
		"RSA of 300,000 bits":       rsaJWK(300_000, "AQAB", ""),
		"RSA with the exponent 1":   rsaJWK(2048, "AQ", ""),
		"RSA with the exponent 0":   rsaJWK(2048, "AA", ""),
		"RSA without exponent":      rsaJWK(2048, "", ""),
		"RSA with a huge exponent":  rsaJWK(2048, "gAAAAAAAAAA", ""),
		"RSA without modulus":       `{"kid":"a","kty":"RSA","e":"AQAB"}`,
		"RSA not base64":            `{"kid":"a","kty":"RSA","n":"+/","e":"AQAB"}`,
		"EC at (1, 1)":              ecJWK("P-256", "AQ", "AQ"),
		"EC at (0, 0)":              ecJWK("P-256", "AA", "AA"),
		"EC off the curve by one":   ecJWK("P-256", b64(order.Gx.Bytes()), b64(new(big.Int).Add(order.Gy, big.NewInt(1)).Bytes())),
		"EC beyond the field":       ecJWK("P-256", b64(new(big.Int).Add(order.Gx, order.P).Bytes()), b64(order.Gy.Bytes())),
		"EC of another curve":       ecJWK("P-384", b64(order.Gx.Bytes()), b64(order.Gy.Bytes())),
		"EC on secp256k1":           ecJWK("secp256k1", b64(order.Gx.Bytes()), b64(order.Gy.Bytes())),
		"EC without y":              ecJWK("P-256", b64(order.Gx.Bytes()), ""),
		"Ed25519 of 31 bytes":       edJWK(edKey()[:31]),
		"Ed25519 of 33 bytes":       edJWK(edKey()[:33]),
		"X25519":                    `{"kid":"a","kty":"OKP","crv":"X25519","x":"` + b64(edKey()[:32]) + `"}`,
		"for encryption":            jwk("a", rsaKey().Public(), `"use":"enc"`),
		"for another use":           jwk("a", rsaKey().Public(), `"use":"new"`),
		"to sign":                   jwk("a", rsaKey().Public(), `"key_ops":["sign"]`),
		"to encrypt":                jwk("a", rsaKey().Public(), `"use":"sig","key_ops":["encrypt","wrapKey"]`),
		"key_ops as a text":         jwk("a", rsaKey().Public(), `"key_ops":"verify"`),
		"for RSA-OAEP":              jwk("a", rsaKey().Public(), `"alg":"RSA-OAEP"`),
		"for none":                  jwk("a", rsaKey().Public(), `"alg":"none"`),
		"RSA for HS256":             jwk("a", rsaKey().Public(), `"alg":"HS256"`),
		"RSA for ES256":             jwk("a", rsaKey().Public(), `"alg":"ES256"`),
		"P-256 for ES384":           jwk("a", ecKey().Public(), `"alg":"ES384"`),
		"private RSA":               private,
		"private RSA, marked as no": strings.Replace(private, `"kty"`, `"use":"sig","kty"`, 1),
		"private EC":                jwk("a", ecKey().Public(), `"d":"`+b64(must(ecKey().Bytes()))+`"`),
		"private Ed25519":           jwk("a", edKey().Public(), `"d":"`+b64(edKey()[:32])+`"`),
	}
}

func TestUnusableKeys(t *testing.T) {
	t.Parallel()
	for name, entry := range unusableKeys() {
		for _, alg := range []string{"", "RS256", "PS256", "EdDSA"} {
			set, err := parseKeySet([]byte(jwkSet(entry, jwk("good", ecKey().Public(), ""))), alg)
			if err != nil || len(set.keys) != 1 || set.keys[0].id != "good" || set.ignored != 1 {
				t.Errorf("%s, algorithm %q: %+v, %v; want it ignored and the good one kept", name, alg, set, err)
			}
			if leaked := strings.HasPrefix(name, "private"); err == nil && set.leaked != leaked {
				t.Errorf("%s: leaked %v", name, set.leaked)
			}
		}
	}
}

// Sizes at the edge are taken.
func TestUsableKeys(t *testing.T) {
	t.Parallel()
	for name, entry := range map[string]string{
		"RSA of 2048 bits":    rsaJWK(2048, "AQAB", ""),
		"RSA of 8192 bits":    rsaJWK(8192, "AQAB", ""),
		"with the exponent 3": rsaJWK(2048, "Aw", ""),
		"unknown members":     rsaJWK(2048, "AQAB", `,"ext":true,"new":{"d":"x"}`),
		"verify among others": jwk("a", rsaKey().Public(), `"key_ops":["sign","verify"],"use":"sig"`),
	} {
		set, err := parseKeySet([]byte(jwkSet(entry)), "")
		if err != nil || len(set.keys) != 1 {
			t.Errorf("%s: %+v, %v", name, set, err)
		}
	}
	if err := checkRSA(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), maxRSABits), E: 65537}); err == nil {
		t.Error("8193 bits are taken from a PEM")
	}
}

// A private key in the set is everybody's: the operator has to know.
func TestLeakedKeyIsLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var id issuer
		var log bytes.Buffer
		id.publish(jwk("good", ecKey().Public(), ""), jwk("leaked", edKey().Public(), `"d":"c2VjcmV0"`))
		o := id.options()
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		j := newJWT(t, o)
		wantReason(t, j, signed("ES256", "good", ecKey()), "")
		wantReason(t, j, signed("EdDSA", "leaked", edKey()), ReasonKey)
		synctest.Wait()
		if text := log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "private key") || strings.Contains(text, "c2VjcmV0") {
			t.Errorf("log: %s", text)
		}
	})
}

// A body of 64 KiB is read, one byte more is not, and costs no more memory.
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	for extra, want := range map[int]Reason{0: "", 1: ReasonUnavailable} {
		synctest.Test(t, func(t *testing.T) {
			var id issuer
			set := jwkSet(jwk("a", rsaKey().Public(), ""))
			id.answer(http.StatusOK, set+strings.Repeat(" ", maxKeySet-len(set)+extra))
			wantReason(t, newJWT(t, id.options()), signed("RS256", "a", rsaKey()), want)
		})
	}
	endless := &streaming{piece: bytes.Repeat([]byte(" "), 1<<10)}
	o := Options{JWKSURL: "https://id.example/jwks", Client: &http.Client{Transport: endless}, Log: slog.New(slog.DiscardHandler)}
	wantReason(t, newJWT(t, o), signed("RS256", "a", rsaKey()), ReasonUnavailable)
	if endless.read > 2*maxKeySet {
		t.Errorf("%d bytes were read of a body without an end", endless.read)
	}
}

// streaming answers with a body without an end, a piece at a time.
type streaming struct {
	piece []byte
	every time.Duration
	read  int
	ctx   context.Context
}

func (s *streaming) RoundTrip(r *http.Request) (*http.Response, error) {
	s.ctx = r.Context()
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(s), Request: r}, nil
}

func (s *streaming) Read(p []byte) (int, error) {
	select {
	case <-time.After(s.every):
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
	n := copy(p, s.piece)
	s.read += n
	return n, nil
}

// The 2 s are for the whole answer, not for its first byte.
func TestTricklingIssuer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &streaming{piece: []byte(" "), every: 100 * time.Millisecond}
		o := Options{JWKSURL: "https://id.example/jwks", Client: &http.Client{Transport: slow}, Log: slog.New(slog.DiscardHandler)}
		begin := time.Now()
		_, err := newJWT(t, o).Verify(t.Context(), signed("RS256", "a", rsaKey()))
		if waited := time.Since(begin); !errors.Is(err, ErrUnavailable) || waited != fetchTimeout {
			t.Errorf("after %v: %v, want after %v", waited, err, fetchTimeout)
		}
	})
}
