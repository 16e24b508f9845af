package auth

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"boundary-app.org/realtime/wire"
)

func BenchmarkVerifyHS256(b *testing.B) {
	token := mint(map[string]any{
		"iss": "https://id.example", "aud": "chat", "jti": "5c1e8f3a-8d0b-4b43-9d6c-1f3e7f0f7a10", "email": "u1@example.com",
		"roles": []string{"admin", "editor"}, "permissions": []string{"read", "write"}, "topics": []string{"order:*"},
	})
	j := newJWT(b, Options{HMACSecret: secret, Issuer: "https://id.example", Audience: "chat"})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := j.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzVerify: what is accepted is signed, and its identity keeps its promises.
// The fuzzer also chooses header and claims of a token with a good signature.
func FuzzVerify(f *testing.F) {
	f.Add(mint(nil), `{"alg":"HS256"}`, `{"sub":"u1","exp":1772370000,"roles":["a"],"topics":"x*"}`)
	f.Add("a.b.c", `{"alg":"HS256","kid":"\ud800"}`, `{"sub":"\u0000","exp":1e400,"role":{},"user":{"id":1}}`)
	j := newJWT(f, Options{HMACSecret: secret})
	f.Fuzz(func(t *testing.T, token, header, claims string) {
		for _, token := range []string{token, compact(header, claims, jwt.SigningMethodHS256, secret)} {
			id, err := j.Verify(t.Context(), token)
			if (id == nil) == (err == nil) {
				t.Fatalf("Verify = %v, %v", id, err)
			}
			if err != nil {
				if !errors.Is(err, ErrUnauthorized) || ReasonOf(err) == ReasonOther {
					t.Fatalf("Verify: %v", err)
				}
				continue
			}
			if err := wire.CheckTarget("user", id.UserID); err != nil || id.Expired(now.Add(-30*time.Second)) || !json.Valid(id.Claims) {
				t.Fatalf("identity %+v", id)
			}
			// An independent parser must agree that the token is good.
			if _, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return secret, nil },
				jwt.WithValidMethods([]string{"HS256"}), jwt.WithoutClaimsValidation()); err != nil {
				t.Fatalf("accepted, but %v", err)
			}
		}
	})
}
