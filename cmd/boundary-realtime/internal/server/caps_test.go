package server

import (
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"boundary-app.org/realtime/auth"
)

// The settings of the caps reach the service: connections are counted by what
// the listed proxy says.
func TestConnectionCaps(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_JWT_HMAC_SECRET="+secret, "REALTIME_CONNECTIONS_PER_ADDRESS=1",
		"REALTIME_CONNECTIONS_OVER=reject", "REALTIME_TRUSTED_PROXIES=127.0.0.0/8")
	token, err := auth.Mint([]byte(secret), map[string]any{"sub": "u1", "exp": time.Now().Add(time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		from   string
		status int
	}{{"192.0.2.1", 101}, {"192.0.2.2", 101}, {"192.0.2.1", 429}} {
		conn, response, err := websocket.Dial(t.Context(), s.publicURL()+"/ws", &websocket.DialOptions{
			HTTPHeader: http.Header{"Authorization": {"Bearer " + token}, "X-Forwarded-For": {"203.0.113.9, " + test.from}},
		})
		if response == nil || response.StatusCode != test.status {
			t.Fatalf("from %s: %v (%v), want %d", test.from, response, err, test.status)
		}
		if err == nil {
			defer func() { _ = conn.CloseNow() }()
		}
	}
}
