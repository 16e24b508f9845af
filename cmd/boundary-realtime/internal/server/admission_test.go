package server

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"boundary-app.org/realtime/auth"
)

func mint(t *testing.T, user string) string {
	t.Helper()
	token, err := auth.Mint([]byte(secret), map[string]any{"sub": user, "exp": time.Now().Add(time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// dialWith connects to a server. The status is that of the answer.
func dialWith(t *testing.T, s *running, query string, header http.Header) (conn *websocket.Conn, status int) {
	t.Helper()
	conn, response, err := websocket.Dial(t.Context(), s.publicURL()+"/ws"+query, &websocket.DialOptions{HTTPHeader: header})
	if response == nil {
		t.Fatalf("no answer: %v", err)
	}
	if err == nil {
		t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, response.StatusCode
}

// The settings about origins reach the handler: the server's own origin counts as
// clients of a listed proxy see it, beside those that are listed.
func TestOriginSettings(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_JWT_HMAC_SECRET="+secret, "REALTIME_TRUSTED_PROXIES=127.0.0.1",
		"REALTIME_ALLOWED_ORIGINS=capacitor://localhost,https://app.example.com")
	for origin, want := range map[string]int{
		"capacitor://localhost": 101, "https://app.example.com": 101, "https://own.example.com": 101,
		"http://own.example.com": 403, "ionic://localhost": 403, "null": 403, "https://evil.example": 403,
	} {
		_, status := dialWith(t, s, "", http.Header{
			"Authorization": {"Bearer " + mint(t, "u1")}, "Origin": {origin},
			"X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"own.example.com"},
		})
		if status != want {
			t.Errorf("%s: %d, want %d", origin, status, want)
		}
	}
}

// A proxy's Authorization beside the client's token is ignored where the setting
// says so.
func TestTokenSourcesSetting(t *testing.T) {
	t.Parallel()
	for sources, want := range map[string]int{"": 400, "query,subprotocol": 101, "header": 401} {
		s := run(t, "REALTIME_JWT_HMAC_SECRET="+secret, "REALTIME_TOKEN_SOURCES="+sources)
		header := http.Header{"Authorization": {"Bearer of-the-proxy"}}
		if _, status := dialWith(t, s, "?token="+mint(t, "u1"), header); status != want {
			t.Errorf("%q: %d, want %d", sources, status, want)
		}
	}
}

// Without connections_over the oldest connection of a user makes room, and its
// client is told to stop.
func TestOldestOfUserIsEvictedByDefault(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_JWT_HMAC_SECRET="+secret, "REALTIME_CONNECTIONS_PER_USER=1")
	header := http.Header{"Authorization": {"Bearer " + mint(t, "u1")}}
	oldest, _ := dialWith(t, s, "", header)
	if _, status := dialWith(t, s, "", header); status != http.StatusSwitchingProtocols {
		t.Fatalf("status %d, want 101", status)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		_, text, err := oldest.Read(ctx)
		if err == nil && len(text) > 0 {
			continue // $connected
		}
		if code := websocket.CloseStatus(err); code != 4504 {
			t.Errorf("the oldest ended with %v, want 4504", err)
		}
		return
	}
}
