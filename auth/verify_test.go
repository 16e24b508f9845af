package auth

import (
	"testing"
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
