package server

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

const (
	secret   = "0123456789abcdef0123456789abcdef"
	apiKey   = "an-api-key-of-the-tests"
	otherKey = "another-api-key-of-the-tests"
)

// running is a server on ports of its own.
type running struct {
	*Server
	t     *testing.T
	ended chan error // what Run returns, once
}

// publicURL is such as http://127.0.0.1:8080.
func (r *running) publicURL() string { return r.public.url() }

func run(t *testing.T, env ...string) *running {
	t.Helper()
	presets := filepath.Join(t.TempDir(), "realtime.yaml")
	if err := os.WriteFile(presets, []byte("listen: 127.0.0.1:0\nadmin_listen: 127.0.0.1:0\ndrain: 1s\ndrain_delay: 0s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Sources{File: presets, Environ: env})
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Server: s, t: t, ended: make(chan error, 1)}
	go func() {
		defer close(r.ended)
		r.ended <- s.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-r.ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return r
}

// do makes a request on a connection of its own and returns status and body.
func (r *running) do(request *http.Request) (*http.Response, string) {
	r.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response, string(body)
}

func request(t *testing.T, method, url, body string, headers ...string) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return request
}

func TestWhatAnswersWhere(t *testing.T) {
	t.Parallel()
	production := run(t, "REALTIME_JWT_HMAC_SECRET="+secret, "REALTIME_API_KEY="+apiKey)
	dev := run(t, "REALTIME_DEV=1")
	tests := []struct {
		path                               string
		public, admin, devPublic, devAdmin int
	}{
		{"/health", 200, 200, 200, 200},
		{"/ready", 200, 200, 200, 200},
		{"/openapi.json", 200, 404, 200, 404},
		{"/v1/connections", 401, 404, 401, 404},
		{"/v1//connections", 401, 307, 401, 307},
		{"//v1/connections", 307, 307, 307, 307},
		{"/x/../v1/connections", 307, 307, 307, 307},
		{"/v1", 401, 404, 401, 404},
		{"/ws", 400, 404, 400, 404},
		{"/metrics", 404, 200, 404, 200},
		{"/debug/pprof/", 404, 200, 404, 200},
		{"/debug/pprof/cmdline", 404, 200, 404, 200},
		{"/", 404, 404, 200, 404},
		{"/main.js", 404, 404, 200, 404},
		{"/dev/session", 404, 404, 404, 404},
		{"/page.go", 404, 404, 404, 404},
	}
	for _, test := range tests {
		for _, at := range []struct {
			name string
			e    *endpoint
			want int
		}{
			{"public", production.public, test.public},
			{"admin", production.admin, test.admin},
			{"dev public", dev.public, test.devPublic},
			{"dev admin", dev.admin, test.devAdmin},
		} {
			got := status(t, at.e.listener.Addr().String(), test.path)
			if got != at.want {
				t.Errorf("%s on %s: %d, want %d", test.path, at.name, got, at.want)
			}
		}
	}
}

// status asks for a path as it is, which http.Client would clean or follow.
func status(t *testing.T, address, path string) int {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(answer))
	if len(fields) < 2 || len(fields[1]) != 3 {
		t.Fatalf("%s: the answer is %.80q", path, answer)
	}
	return int(fields[1][0]-'0')*100 + int(fields[1][1]-'0')*10 + int(fields[1][2]-'0')
}

func TestHeaderLimit(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_DEV=1")
	url := s.publicURL() + "/health"
	if response, _ := s.do(request(t, "GET", url, "", "X-Long", strings.Repeat("a", 15<<10))); response.StatusCode != 200 {
		t.Errorf("15 KiB of header: %d, want 200", response.StatusCode)
	}
	if response, _ := s.do(request(t, "GET", url, "", "X-Long", strings.Repeat("a", 16<<10))); response.StatusCode != 431 {
		t.Errorf("more than 16 KiB of header: %d, want 431", response.StatusCode)
	}
}

func TestHeaderLimitIsASetting(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_DEV=1", "REALTIME_HEADER_SIZE=32KiB")
	for _, e := range []*endpoint{s.public, s.admin} {
		for length, want := range map[int]int{31 << 10: 200, 33 << 10: 431} {
			r := request(t, "GET", e.url()+"/health", "", "X-Long", strings.Repeat("a", length))
			if response, _ := s.do(r); response.StatusCode != want {
				t.Errorf("%d bytes of header: %d, want %d", length, response.StatusCode, want)
			}
		}
	}
	if _, body := s.do(request(t, "GET", s.admin.url()+"/metrics", "")); !strings.Contains(body, `realtime_http_refusals_total{reason="header_too_large"} 2`) {
		t.Error("the metrics do not count two headers that are too large")
	}
}

func TestDevSession(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_DEV=1", "REALTIME_JWT_ISSUER=me", "REALTIME_JWT_AUDIENCE=you", "REALTIME_JWT_CLAIM_USER_ID=uid",
		"REALTIME_REQUIRED_ROLES=operator,admin", "REALTIME_REQUIRED_PERMISSIONS=watch", "REALTIME_ALLOWED_ORIGINS=https://elsewhere.example")
	url := s.publicURL()
	_, port, _ := net.SplitHostPort(s.public.listener.Addr().String())
	good := `{"user":"bob","roles":["admin"]}`
	tests := []struct {
		name       string
		body, kind string
		origin     string
		host       string
		want       int
	}{
		{"the page", good, "application/json", url, "", 200},
		{"by another name", good, "application/json; charset=utf-8", "http://localhost:" + port, "localhost:" + port, 200},
		{"a program", good, "application/json", "", "", 200},
		{"only the key", `{}`, "application/json", url, "", 200},
		{"another page", good, "application/json", "https://evil.example", "", 403},
		{"another port", good, "application/json", "http://127.0.0.1:1", "", 403},
		{"no origin at all", good, "application/json", "null", "", 403},
		{"a form", good, "text/plain", url, "", 403},
		{"without a type", good, "", url, "", 403},
		{"a name that points here", good, "application/json", "http://evil.example:" + port, "evil.example:" + port, 403},
		{"not JSON", "user=bob", "application/json", url, "", 400},
		{"more than JSON", good + " x", "application/json", url, "", 400},
		{"a name given twice", `{"user":"a","user":"b"}`, "application/json", url, "", 400},
		{"half a character", `{"user":"\ud800"}`, "application/json", url, "", 400},
		{"a user that cannot be", `{"user":"a\u0000"}`, "application/json", url, "", 400},
		{"a role that cannot be", `{"user":"a","roles":[""]}`, "application/json", url, "", 400},
		{"no object", `[]`, "application/json", url, "", 400},
		{"a member that is not there", `{"user":"a","role":"b"}`, "application/json", url, "", 400},
		{"a member in capitals", `{"User":"a"}`, "application/json", url, "", 400},
		{"roles that are no list", `{"user":"a","roles":null}`, "application/json", url, "", 400},
		{"topics that are no list", `{"user":"a","topics":"room:*"}`, "application/json", url, "", 400},
		{"a pattern that cannot be", `{"user":"a","topics":["*:a"]}`, "application/json", url, "", 400},
		{"long", `{"user":"` + strings.Repeat("a", 5000) + `"}`, "application/json", url, "", 400},
	}
	for _, test := range tests {
		r := request(t, "POST", url+"/dev/session", test.body, "Content-Type", test.kind)
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		r.Host = test.host
		response, body := s.do(r)
		if response.StatusCode != test.want {
			t.Errorf("%s: %d %s, want %d", test.name, response.StatusCode, body, test.want)
		}
	}

	_, body := s.do(request(t, "POST", url+"/dev/session", good, "Content-Type", "application/json"))
	var session struct{ APIKey, Token string }
	if err := json.Unmarshal([]byte(body), &session); err != nil {
		t.Fatal(err)
	}
	for _, origin := range []string{url, "http://localhost:" + port, "https://elsewhere.example"} {
		conn, hello := connect(t, url, session.Token, origin)
		if hello["userId"] != "bob" {
			t.Errorf("from %s: connected as %v, want bob", origin, hello["userId"])
		}
		_ = conn.CloseNow()
	}
	response, body := s.do(request(t, "POST", url+"/v1/users/nobody/messages", `{"type":"x"}`, "Authorization", "Bearer "+session.APIKey))
	if response.StatusCode != 200 || !strings.Contains(body, `"recipients":0`) {
		t.Errorf("send with the key of the session: %d %s", response.StatusCode, body)
	}
}

func connect(t *testing.T, url, token, origin string) (*websocket.Conn, map[string]any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url+"/ws", &websocket.DialOptions{
		Subprotocols: []string{"boundary.realtime.v1", "bearer." + token},
		HTTPHeader:   http.Header{"Origin": {origin}},
	})
	if err != nil {
		t.Fatalf("dial from %s: %v", origin, err)
	}
	_, data, err := conn.Read(ctx)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	var hello map[string]any
	if err := json.Unmarshal(data, &hello); err != nil {
		t.Fatal(err)
	}
	return conn, hello
}

func TestTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile, roots := certificate(t)
	s := run(t, "REALTIME_JWT_HMAC_SECRET="+secret, "REALTIME_TLS_CERT_FILE="+certFile, "REALTIME_TLS_KEY_FILE="+keyFile, "REALTIME_ADMIN_LISTEN=off")
	address := s.public.listener.Addr().String()
	if want := "https://" + address; s.publicURL() != want {
		t.Errorf("the URL is %s, want %s", s.publicURL(), want)
	}
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if state := conn.ConnectionState(); state.NegotiatedProtocol != "http/1.1" {
		t.Errorf("the protocol is %q, want http/1.1", state.NegotiatedProtocol)
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
}

func certificate(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(cert)
	return certFile, keyFile, roots
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg, err := config.Load(config.Sources{Environ: []string{
		"REALTIME_JWT_HMAC_SECRET=" + secret, "REALTIME_LISTEN=127.0.0.1:0", "REALTIME_ADMIN_LISTEN=" + taken.Addr().String(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(cfg, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "start: listen tcp "+taken.Addr().String()) {
		t.Errorf("new: %v, want the address that is in use", err)
	}
	if want := "is another server running? Stop it, or set admin_listen to another address"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("new: %v, want %q", err, want)
	}
}

func TestListenerThatFails(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_DEV=1")
	_ = s.admin.listener.Close()
	if err := <-s.ended; err == nil || !strings.Contains(err.Error(), "serve: accept tcp") {
		t.Errorf("run: %v, want that serving failed", err)
	}
}

// Clients that write all of a body before they read get every answer of the public
// port, not only those of the API.
func TestAnswersReachClientsThatWriteFirst(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_JWT_HMAC_SECRET="+secret, "REALTIME_API_KEY="+apiKey)
	for target, want := range map[string]int{"/": 404, "/health": 405, "/ready": 405, "/ws": 405, "/v1/nothing": 404, "/openapi.json": 405} {
		conn, err := net.Dial("tcp", s.public.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = conn.(*net.TCPConn).SetWriteBuffer(16 << 10)
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
		const length = 5 << 20
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", target, apiKey, length)
		for left := length; left > 0 && err == nil; left -= 4 << 10 {
			_, err = conn.Write(make([]byte, 4<<10))
		}
		if err != nil {
			t.Errorf("%s: write: %v", target, err)
			continue
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != want {
			t.Errorf("%s: %+v (%v), want %d", target, response, err, want)
			continue
		}
		_ = response.Body.Close()
	}
}
