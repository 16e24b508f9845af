//go:build linux

package floor_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"boundary-app.org/realtime/bench/internal/floor"
)

func TestEveryConnectionGetsTheOctets(t *testing.T) {
	t.Parallel()
	sockets := new(floor.Sockets)
	server := httptest.NewServer(sockets)
	t.Cleanup(server.Close)
	var readers []*bufio.Reader
	for range 3 {
		readers = append(readers, open(t, server.Listener.Addr().String()))
	}
	if got := sockets.Count(); got != 3 {
		t.Fatalf("%d connections, want 3", got)
	}
	for _, text := range []string{"first", "second"} {
		if err := sockets.WriteAll([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range readers {
		got := make([]byte, len("firstsecond"))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != "firstsecond" {
			t.Errorf("connection %d: %q, error %v", i, got, err)
		}
	}
}

// open upgrades with the key of RFC 6455 section 1.3.
func open(t *testing.T, address string) *bufio.Reader {
	t.Helper()
	conn, err := net.Dial("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	request := "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if accept := answer.Header.Get("Sec-WebSocket-Accept"); answer.StatusCode != http.StatusSwitchingProtocols || !strings.HasPrefix(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
		t.Fatalf("answer %d, accept %q", answer.StatusCode, accept)
	}
	return r
}
