package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/auth"
)

// Each kind of revocation closes connections and keeps their tokens out.
func TestRevocations(t *testing.T) {
	t.Parallel()
	until := time.Now().Add(time.Hour).Format(time.RFC3339)
	for name, c := range map[string]struct {
		body   string // ID is the connection's id
		answer string
		reason string
	}{
		"user":       {`{"user":"u1"}`, `{"disconnected":2}`, "revoked"},
		"token id":   {`{"tokenId":"t1","until":"` + until + `","reason":"stolen"}`, `{"disconnected":1}`, "stolen"},
		"connection": {`{"connection":"ID","reason":"` + strings.Repeat("é", 61) + `."}`, `{"disconnected":1}`, strings.Repeat("é", 61) + "."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, realtime.Options{}, api.Options{})
			claims := map[string]any{"sub": "u1", "jti": "t1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
			mine, other := s.dialClaims(t, claims), s.dial(t, "u1")
			body := strings.Replace(c.body, "ID", mine.id, 1)
			s.call(t, "POST", "/v1/revocations", body).wantText(t, http.StatusOK, c.answer)
			if code, reason := mine.closed(); code != 4503 || reason != c.reason {
				t.Errorf("closed with %d %q", code, reason)
			}
			again := s.call(t, "POST", "/v1/revocations", body)
			if name == "connection" {
				again.wantProblem(t, http.StatusNotFound, "unknown_connection")
			} else {
				again.wantText(t, http.StatusOK, `{"disconnected":0}`)
			}
			token, err := auth.Mint(secret, claims)
			if err != nil {
				t.Fatal(err)
			}
			response, err := s.http.Client().Get(s.http.URL + "/ws?token=" + token)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != http.StatusUnauthorized {
				t.Errorf("the token is answered %d", response.StatusCode)
			}
			if left := s.Connection(other.id) != nil; left != (name != "user") {
				t.Errorf("the other token's connection is left: %v", left)
			}
		})
	}
	s := start(t, realtime.Options{}, api.Options{})
	s.call(t, "POST", "/v1/revocations", `{"connection":"AAAAAAAAAAAAAAAAAAAAAA"}`).wantProblem(t, http.StatusNotFound, "unknown_connection")
	for _, body := range []string{`{"user":"u\ud800"}`, `{"tokenId":"\udc00x"}`} {
		s.call(t, "POST", "/v1/revocations", body).wantProblem(t, http.StatusBadRequest, "invalid_body")
	}
	s.call(t, "POST", "/v1/revocations", "{\"user\":\"\uFFFD\"}").wantText(t, http.StatusOK, `{"disconnected":0}`)
	s.call(t, "GET", "/v1/revocations", "").wantProblem(t, http.StatusMethodNotAllowed, "method_not_allowed")
}

// A node that has as many revocations as it keeps says so.
func TestTooManyRevocations(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{Bus: brokenBus(realtime.ErrTooManyRevocations)}, api.Options{})
	s.call(t, "POST", "/v1/revocations", `{"user":"u1"}`).wantProblem(t, http.StatusServiceUnavailable, "too_many_revocations")
}
