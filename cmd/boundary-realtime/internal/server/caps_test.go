package server

import (
	"bufio"
	"fmt"
	"net"
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

// Behind a proxy of the PROXY protocol, connections are counted by the address in
// its header, whatever the client writes into its own.
func TestConnectionCapsBehindProxyProtocol(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_JWT_HMAC_SECRET="+secret, "REALTIME_CONNECTIONS_PER_ADDRESS=1",
		"REALTIME_CONNECTIONS_OVER=reject", "REALTIME_PROXY_PROTOCOL=on", "REALTIME_TRUSTED_PROXIES=127.0.0.0/8")
	token, err := auth.Mint([]byte(secret), map[string]any{"sub": "u1", "exp": time.Now().Add(time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		from   string
		status int
	}{{"192.0.2.1", 101}, {"192.0.2.2", 101}, {"192.0.2.1", 429}} {
		conn, err := dialProxied(s.public.listener.Addr().String(), test.from)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if status := upgrade(t, conn, token); status != test.status {
			t.Errorf("from %s: %d, want %d", test.from, status, test.status)
		}
	}
	if _, body := s.do(request(t, "GET", s.admin.url()+"/health", "")); body == "" {
		t.Error("the admin listener expects a PROXY header, too")
	}
}

// dialProxied connects as a proxy does for a client.
func dialProxied(address, from string) (net.Conn, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "PROXY TCP4 %s 127.0.0.1 4711 443\r\n", from)
	return conn, err
}

// upgrade makes an opening handshake and returns its status. After 101 it has read
// the first byte of the first frame.
func upgrade(t *testing.T, conn net.Conn, token string) int {
	t.Helper()
	_, err := fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nX-Forwarded-For: 203.0.113.9\r\n"+
		"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", token)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode == http.StatusSwitchingProtocols {
		if _, err := in.ReadByte(); err != nil {
			t.Fatal(err)
		}
	}
	return response.StatusCode
}
