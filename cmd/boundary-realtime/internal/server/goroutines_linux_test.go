package server

import (
	"crypto/tls"
	"net"
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
	secure := []string{"REALTIME_TLS_CERT_FILE=" + certFile, "REALTIME_TLS_KEY_FILE=" + keyFile}
	behind := []string{"REALTIME_PROXY_PROTOCOL=on", "REALTIME_TRUSTED_PROXIES=127.0.0.1"}
	config := &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
	for name, test := range map[string]struct {
		env  []string
		dial func(address string) (net.Conn, error)
	}{
		"plain": {env, func(address string) (net.Conn, error) { return net.Dial("tcp", address) }},
		"TLS": {
			append(secure, env...),
			func(address string) (net.Conn, error) { return tls.Dial("tcp", address, config) },
		},
		"plain behind a proxy": {
			append(behind, env...),
			func(address string) (net.Conn, error) { return dialProxied(address, "192.0.2.1") },
		},
		"TLS behind a proxy": {
			append(append(behind, secure...), env...),
			func(address string) (net.Conn, error) {
				conn, err := dialProxied(address, "192.0.2.1")
				return tls.Client(conn, config), err
			},
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
				if status := upgrade(t, conn, token); status != 101 {
					t.Fatalf("upgrade: %d", status)
				}
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
