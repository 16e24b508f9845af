package server

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"boundary-app.org/realtime/auth"
)

// A client brings its token as the first message, where that is allowed, and is
// closed and kept out when the token is revoked.
func TestTokenInMessageAndRevocation(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_JWT_HMAC_SECRET="+secret, "REALTIME_API_KEY="+apiKey, "REALTIME_TOKEN_IN_MESSAGE=true", "REALTIME_JWT_LIFETIME=1h")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	token, err := auth.Mint([]byte(secret), map[string]any{"sub": "u1", "jti": "t1", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	message, err := json.Marshal(map[string]string{"action": "connect", "token": token})
	if err != nil {
		t.Fatal(err)
	}
	connect := func() error {
		conn, _, err := websocket.Dial(ctx, s.publicURL()+"/ws", nil)
		if err != nil {
			t.Fatalf("dial: %v", err)
		}
		t.Cleanup(func() { _ = conn.CloseNow() })
		if err := conn.Write(ctx, websocket.MessageText, message); err != nil {
			t.Fatalf("write: %v", err)
		}
		_, _, err = conn.Read(ctx)
		return err
	}
	if err := connect(); err != nil {
		t.Fatalf("the first message: %v", err)
	}
	response, body := s.do(request(t, "POST", s.publicURL()+"/v1/revocations", `{"tokenId":"t1"}`, "Authorization", "Bearer "+apiKey))
	if response.StatusCode != 200 || body != "{\"disconnected\":1}\n" {
		t.Errorf("revoke: %d %s", response.StatusCode, body)
	}
	if err := connect(); websocket.CloseStatus(err) != 4500 {
		t.Errorf("a revoked token: %v, want a close with 4500", err)
	}
}

// The leeway for the issuer's clock is one for revocations, too.
func TestRevocationWithinTheLeeway(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_JWT_HMAC_SECRET="+secret, "REALTIME_API_KEY="+apiKey, "REALTIME_JWT_LEEWAY=5m")
	response, body := s.do(request(t, "POST", s.publicURL()+"/v1/revocations", `{"user":"u1"}`, "Authorization", "Bearer "+apiKey))
	if response.StatusCode != 200 {
		t.Fatalf("revoke: %d %s", response.StatusCode, body)
	}
	for user, want := range map[string]string{"u1": "unauthorized: revoked", "u2": "send Upgrade: websocket"} { // the latter: the token is good
		token, err := auth.Mint([]byte(secret), map[string]any{"sub": user, "iat": time.Now().Add(4 * time.Minute).Unix(), "exp": time.Now().Add(time.Hour).Unix()})
		if err != nil {
			t.Fatal(err)
		}
		if _, body := s.do(request(t, "GET", s.publicURL()+"/ws?token="+token, "")); !strings.Contains(body, want) {
			t.Errorf("%s: %q, want %q", user, body, want)
		}
	}
}
