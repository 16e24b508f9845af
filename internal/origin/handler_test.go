package origin_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/realtimetest"
	"boundary-app.org/realtime/wire"
)

var discard = slog.New(slog.DiscardHandler)

// newService starts a service that accepts the token "good".
func newService(t testing.TB, log *slog.Logger) *realtime.Service {
	t.Helper()
	svc, err := realtime.New(realtime.Options{Log: log, Verifier: realtimetest.Verifier("good", realtime.Identity{UserID: "u1"})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = svc.Shutdown(ctx)
	})
	return svc
}

// upgrading returns a handshake, with header fields in pairs of name and value.
func upgrading(target string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	socket.SetRequest(r.Header, socket.HandshakeOptions{})
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// ask returns the answer to a request that cannot be upgraded.
func ask(h http.Handler, r *http.Request) (status int, text string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// roundTrip makes a request to a server and returns the status.
func roundTrip(t *testing.T, web *httptest.Server, r *http.Request) int {
	t.Helper()
	r.RequestURI = ""
	response, err := web.Client().Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// D10: which pages may connect. The request is for example.com; a request that
// passes is refused with 500 after it, for want of a connection to take over.
func TestOrigins(t *testing.T) {
	t.Parallel()
	svc := newService(t, discard)
	target := "http://example.com/ws?token=good"
	const same, listed, badList = "", "https://app.example.com", "example.com"
	for _, c := range []struct {
		name    string
		allowed string // "": the default
		origins []string
		tls     bool
		passes  bool
	}{
		{"none", same, nil, false, true},
		{"same", same, []string{"http://example.com"}, false, true},
		{"same with its port", same, []string{"http://example.com:80"}, false, true},
		{"same in capitals", same, []string{"HTTP://EXAMPLE.COM"}, false, true},
		{"same over TLS", same, []string{"https://example.com"}, true, true},
		{"wrong scheme", same, []string{"https://example.com"}, false, false},
		{"wrong scheme over TLS", same, []string{"http://example.com"}, true, false},
		{"wrong port", same, []string{"http://example.com:8080"}, false, false},
		{"null", same, []string{"null"}, false, false},
		{"empty", same, []string{""}, false, false},
		{"file", same, []string{"file://"}, false, false},
		{"extension", same, []string{"chrome-extension://abcdef"}, false, false},
		{"look-alike before", same, []string{"http://evil-example.com"}, false, false},
		{"look-alike behind", same, []string{"http://example.com.evil.net"}, false, false},
		{"subdomain", same, []string{"http://www.example.com"}, false, false},
		{"trailing dot", same, []string{"http://example.com."}, false, false},
		{"user info", same, []string{"http://example.com@evil.net"}, false, false},
		{"user info of the host", same, []string{"http://evil@example.com"}, false, false},
		{"path", same, []string{"http://example.com/"}, false, false},
		{"query", same, []string{"http://example.com?"}, false, false},
		{"fragment", same, []string{"http://example.com#"}, false, false},
		{"space", same, []string{"http://example.com "}, false, false},
		{"two", same, []string{"http://example.com", "http://example.com"}, false, false},
		{"two in one", same, []string{"http://example.com, http://evil.net"}, false, false},
		{"listed", listed, []string{"https://app.example.com"}, false, true},
		{"listed with its port", listed, []string{"https://app.example.com:443"}, false, true},
		{"same, beside the list", listed, []string{"http://example.com"}, false, true},
		{"subdomain of the same, beside the list", listed, []string{"http://www.example.com"}, false, false},
		{"native shell", "capacitor://localhost", []string{"capacitor://localhost"}, false, true},
		{"extension", "chrome-extension://abcdef", []string{"chrome-extension://abcdef"}, false, true},
		{"another extension", "chrome-extension://abcdef", []string{"chrome-extension://abcdeg"}, false, false},
		{"null, though listed", "null", []string{"null"}, false, false},
		{"listed, wrong scheme", listed, []string{"http://app.example.com"}, false, false},
		{"listed, other subdomain", listed, []string{"https://b.app.example.com"}, false, false},
		{"list without a scheme", badList, []string{"http://app.example.com"}, false, false},
		{"list without a scheme, null", badList, []string{"null"}, false, false},
	} {
		opts := realtime.HandlerOptions{}
		if c.allowed != "" {
			opts.AllowedOrigins = []string{c.allowed}
		}
		r := upgrading(target)
		r.Header["Origin"] = c.origins
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		want := http.StatusForbidden
		if c.passes {
			want = http.StatusInternalServerError
		}
		if status, text := ask(svc.Handler(opts), r); status != want {
			t.Errorf("%s: %d %s, want %d", c.name, status, text, want)
		}
	}
}

// The page of a server behind a listed proxy that ends TLS may connect.
func TestOwnOriginBehindProxy(t *testing.T) {
	t.Parallel()
	svc := newService(t, discard)
	h := svc.Handler(realtime.HandlerOptions{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}})
	for peer, want := range map[string]int{"10.0.0.1:1": http.StatusInternalServerError, "192.0.2.1:1": http.StatusForbidden} {
		r := upgrading("http://node/ws?token=good", "Origin", "https://app.example.com",
			"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app.example.com")
		r.RemoteAddr = peer
		if status, text := ask(h, r); status != want {
			t.Errorf("from %s: %d %s, want %d", peer, status, text, want)
		}
	}
}

// A page that may not connect gets no socket, not even one that is closed at
// once, and its token is not looked at.
func TestForeignOriginIsNotUpgraded(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(newService(t, discard).Handler(realtime.HandlerOptions{}))
	defer web.Close()
	r := upgrading(web.URL+"?token=bad", "Origin", "https://evil.net", "Sec-Websocket-Protocol", wire.Subprotocol)
	if status := roundTrip(t, web, r); status != http.StatusForbidden {
		t.Errorf("status %d, want 403", status)
	}
}

// A list that names nothing an Origin can be is a mistake, and said to be one.
func TestUselessOriginsAreLogged(t *testing.T) {
	t.Parallel()
	log := &bytes.Buffer{}
	svc := newService(t, slog.New(slog.NewTextHandler(log, nil)))
	svc.Handler(realtime.HandlerOptions{AllowedOrigins: []string{"https://good.example.com"}})
	if log.String() != "" {
		t.Errorf("a good list is complained about: %s", log)
	}
	svc.Handler(realtime.HandlerOptions{AllowedOrigins: []string{"https://good.example.com", "*.example.com"}})
	if !strings.Contains(log.String(), "*.example.com") || strings.Contains(log.String(), "good.example.com") {
		t.Errorf("the log says %q, want the one that is useless", log)
	}
}

// The page of the server itself may connect, whatever the port.
func TestSameOriginOverRealServers(t *testing.T) {
	t.Parallel()
	h := newService(t, discard).Handler(realtime.HandlerOptions{})
	for name, listen := range map[string]func(http.Handler) *httptest.Server{"TCP": httptest.NewServer, "TLS": httptest.NewTLSServer} {
		web := listen(h)
		r := upgrading(web.URL+"?token=good", "Origin", web.URL)
		if status := roundTrip(t, web, r); status != http.StatusSwitchingProtocols {
			t.Errorf("%s: status %d, want 101", name, status)
		}
		web.Close()
	}
}

// Whatever an Origin is, it passes only where it is the listed one, or the
// server's own.
func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{
		"https://app.example.com", "HTTPS://APP.EXAMPLE.COM:443", "https://app.example.com:", "https://app.example.com/",
		"https://app.example.com@evil.net", "https://app.example.com\x00", "null", "", "https://[::1]", "https://app.example.com.",
	} {
		f.Add(seed)
	}
	svc := newService(f, discard)
	h := svc.Handler(realtime.HandlerOptions{AllowedOrigins: []string{"https://app.example.com"}})
	f.Fuzz(func(t *testing.T, origin string) {
		r := upgrading("/?token=bad")
		r.Header["Origin"] = []string{origin}
		status, _ := ask(h, r)
		folded := strings.ToLower(origin)
		if rest, found := strings.CutPrefix(folded, "ws"); found { // as native clients write it
			folded = "http" + rest
		}
		bare := strings.TrimSuffix(strings.TrimSuffix(folded, "443"), ":")
		own := strings.TrimSuffix(strings.TrimSuffix(folded, "80"), ":")
		if passes := status != http.StatusForbidden; passes && bare != "https://app.example.com" && own != "http://example.com" {
			t.Errorf("%q passes", origin)
		}
	})
}
