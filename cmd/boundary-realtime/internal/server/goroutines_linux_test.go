package server

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"testing"
	"time"

	"boundary-app.org/realtime/auth"
)

// What the listeners put around a connection is not in the way of a WebSocket: an
// idle one has no goroutine. Not parallel, since it counts goroutines.
func TestWebSocketsHaveNoGoroutine(t *testing.T) {
	certFile, keyFile, roots := certificate(t)
	token, err := auth.Mint([]byte(secret), map[string]any{"sub": "u1", "exp": time.Now().Add(time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"REALTIME_JWT_HMAC_SECRET=" + secret}
	for name, test := range map[string]struct {
		env  []string
		dial func(address string) (net.Conn, error)
	}{
		"plain": {env, func(address string) (net.Conn, error) { return net.Dial("tcp", address) }},
		"TLS": {
			append(env, "REALTIME_TLS_CERT_FILE="+certFile, "REALTIME_TLS_KEY_FILE="+keyFile),
			func(address string) (net.Conn, error) { return tls.Dial("tcp", address, &tls.Config{RootCAs: roots}) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := run(t, test.env...)
			const clients = 40
			before := 0
			for i := range clients + 1 {
				if i == 1 { // the first one has started what all share
					before = runtime.NumGoroutine()
				}
				conn, err := test.dial(s.public.listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				upgrade(t, conn, token)
			}
			deadline := time.Now().Add(10 * time.Second)
			for runtime.NumGoroutine() > before+clients/4 {
				if time.Now().After(deadline) {
					t.Fatalf("%d goroutines with one connection, %d with %d", before, runtime.NumGoroutine(), clients+1)
				}
				runtime.Gosched()
			}
		})
	}
}

// upgrade makes an opening handshake and reads the first frame's first byte.
func upgrade(t *testing.T, conn net.Conn, token string) {
	t.Helper()
	_, err := fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", token)
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	response, err := http.ReadResponse(in, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v (%v)", response, err)
	}
	if _, err := in.ReadByte(); err != nil {
		t.Fatal(err)
	}
}
