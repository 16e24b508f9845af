package token_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"boundary-app.org/realtime/bench/internal/token"
)

const secret = "a secret of the benchmark's own tests"

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Now()
	mint := func(secret string, at time.Time) string {
		signed, err := token.Mint([]byte(secret), token.User(7), at)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	tests := map[string]struct {
		token string
		user  string
	}{
		"valid":        {mint(secret, now), "u7"},
		"other secret": {mint("another secret", now), ""},
		"expired":      {mint(secret, now.Add(-2*time.Hour)), ""},
		"missing":      {"", ""},
	}
	verifier := token.NewVerifier([]byte(secret))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/ws?token="+tt.token, nil)
			user, err := verifier.Verify(r)
			if user != tt.user || (err == nil) != (tt.user != "") {
				t.Errorf("user %q, error %v; want %q", user, err, tt.user)
			}
		})
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	var users []string
	h := token.NewVerifier([]byte(secret)).Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		users = append(users, token.UserOf(r.Context()))
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ws", nil))
	if w.Code != http.StatusUnauthorized || len(users) != 0 {
		t.Errorf("status %d, reached %d times", w.Code, len(users))
	}
	signed, err := token.Mint([]byte(secret), token.User(3), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/ws?token="+signed, nil))
	if len(users) != 1 || users[0] != "u3" {
		t.Errorf("users %q, want u3", users)
	}
}
