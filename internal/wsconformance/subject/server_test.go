package subject

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Over HTTP/2 a WebSocket would need extended CONNECT (RFC 8441), which must not be advertised.
func TestHTTP2DoesNotAdvertiseExtendedConnect(t *testing.T) {
	t.Parallel()
	s := NewServer(Config{}, slog.New(slog.DiscardHandler))
	defer s.Stop()
	web := httptest.NewUnstartedServer(s)
	web.EnableHTTP2 = true
	web.StartTLS()
	defer web.Close()
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	conn, err := tls.Dial("tcp", web.Listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: "example.com", NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	// The preface of HTTP/2, and empty settings (RFC 9113 section 3.4).
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	const settingsFrame, extendedConnect = 0x4, 0x8
	head := make([]byte, 9)
	if _, err := io.ReadFull(conn, head); err != nil || head[3] != settingsFrame {
		t.Fatalf("the server begins with % x, %v", head, err)
	}
	settings := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
	if _, err := io.ReadFull(conn, settings); err != nil || len(settings) == 0 {
		t.Fatalf("settings of %d octets, %v", len(settings), err)
	}
	for ; len(settings) >= 6; settings = settings[6:] {
		if binary.BigEndian.Uint16(settings) == extendedConnect {
			t.Errorf("it advertises extended CONNECT: % x", settings[:6])
		}
	}
}
