//go:build unix

package doctest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/realtimetest"
)

const deployPage = root + "/docs/deploy.md"

// deployBlock returns the text of the block that the page gives as a file.
func deployBlock(t *testing.T, file string) string {
	t.Helper()
	blocks, err := readBlocks(deployPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if b.Options["file"] == file {
			return b.Text
		}
	}
	t.Fatalf("%s has no block file=%s", deployPage, file)
	return ""
}

// site is what a proxy is configured with in a test, in place of what the page says.
type site struct {
	folder string // of the certificate, and for the proxy's own files
	port   string // of the proxy
	node   string // host:port of the server behind it
}

// The proxies of the page, as the distribution packages them.
var proxies = []struct {
	name    string
	command func(t *testing.T, s site) *exec.Cmd
}{
	{"nginx", runNginx},
	{"caddy", runCaddy},
	{"haproxy", runHAProxy},
}

func TestProxies(t *testing.T) {
	t.Parallel()
	for _, proxy := range proxies {
		t.Run(proxy.name, func(t *testing.T) {
			t.Parallel()
			svc, node := newNode(t)
			s := site{folder: t.TempDir(), port: freePort(t), node: node}
			pool := s.writeCertificate(t)
			runProxy(t, proxy.command(t, s), s.port)
			s.checkWebSocket(t, svc, pool)
		})
	}
}

// newNode starts a server that believes a proxy on this machine.
func newNode(t *testing.T) (svc *realtime.Service, address string) {
	t.Helper()
	svc, err := realtime.New(realtime.Options{Verifier: realtimetest.Verifier("good", realtime.Identity{UserID: "u1"})})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", svc.Handler(realtime.HandlerOptions{
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}))
	mux.HandleFunc("GET /ready", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := svc.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return svc, server.Listener.Addr().String()
}

// checkWebSocket connects as a page of the proxy's own origin, hears a message,
// and is refused as a page from elsewhere.
func (s site) checkWebSocket(t *testing.T, svc *realtime.Service, pool *x509.CertPool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	host := "localhost:" + s.port
	dial := func(origin string) (*websocket.Conn, *http.Response, error) {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
		defer client.CloseIdleConnections()
		return websocket.Dial(ctx, "wss://"+host+"/ws", &websocket.DialOptions{
			HTTPClient: client, HTTPHeader: http.Header{"Origin": {origin}},
			Subprotocols: []string{"boundary.realtime.v1", "bearer.good"},
		})
	}
	conn, _, err := dial("https://" + host)
	if err != nil {
		t.Fatalf("connect through the proxy: %v", err)
	}
	defer func() { _ = conn.CloseNow() }()
	expectFrame(ctx, t, conn, `"$connected"`)
	if _, err := svc.SendToUser(ctx, "u1", realtime.Message{Type: "hello"}); err != nil {
		t.Fatal(err)
	}
	expectFrame(ctx, t, conn, `"hello"`)
	if _, response, err := dial("https://elsewhere.example.com"); err == nil || response == nil || response.StatusCode != http.StatusForbidden {
		t.Errorf("a page from elsewhere: %v, %v, want status 403", err, response)
	}
	if _, err := svc.Disconnect(ctx, realtime.User("u1"), 4321, "enough"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != 4321 {
		t.Errorf("the close code does not pass the proxy: %v", err)
	}
}

func expectFrame(ctx context.Context, t *testing.T, conn *websocket.Conn, part string) {
	t.Helper()
	_, frame, err := conn.Read(ctx)
	if err != nil || !strings.Contains(string(frame), part) {
		t.Fatalf("read %s (%v), want a frame with %s", frame, err, part)
	}
}

// runProxy starts a proxy and waits until it listens.
func runProxy(t *testing.T, cmd *exec.Cmd, port string) {
	t.Helper()
	output := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the proxy (make setup installs it): %v", err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	})
	gone := false
	err := within(outputTime, func() bool {
		select {
		case <-ended:
			gone = true
		default:
		}
		return gone || answers("127.0.0.1:"+port)
	})
	if err != nil || gone {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		t.Fatalf("the proxy does not listen (%v):\n%s", err, output)
	}
}

// replace puts the test's values in the place of the page's, each of which the
// page must have.
func replace(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the configuration on the page has no %q", pairs[i])
		}
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func runNginx(t *testing.T, s site) *exec.Cmd {
	config := replace(t, deployBlock(t, "nginx.conf"),
		"listen 443", "listen 127.0.0.1:"+s.port,
		"/etc/ssl/realtime/", s.folder+"/",
		"127.0.0.1:8080", s.node)
	var temporary strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temporary.WriteString(kind + "_temp_path " + s.folder + "/" + kind + ";\n")
	}
	s.write(t, "nginx.conf", "daemon off; pid "+s.folder+"/pid; error_log stderr;\nevents {}\nhttp {\n"+temporary.String()+config+"}\n")
	return exec.Command(program("nginx"), "-p", s.folder, "-c", s.folder+"/nginx.conf", "-e", "stderr")
}

func runCaddy(t *testing.T, s site) *exec.Cmd {
	config := replace(t, deployBlock(t, "Caddyfile"),
		"realtime.example.com {", "https://localhost:"+s.port+" {\n\ttls "+s.folder+"/fullchain.pem "+s.folder+"/key.pem",
		"127.0.0.1:8080", s.node)
	s.write(t, "Caddyfile", "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"+config)
	cmd := exec.Command(program("caddy"), "run", "--config", s.folder+"/Caddyfile", "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+s.folder, "XDG_DATA_HOME="+s.folder, "XDG_CONFIG_HOME="+s.folder)
	return cmd
}

func runHAProxy(t *testing.T, s site) *exec.Cmd {
	config := replace(t, deployBlock(t, "haproxy.cfg"),
		"bind :443", "bind 127.0.0.1:"+s.port,
		"/etc/haproxy/realtime.pem", s.folder+"/both.pem",
		"127.0.0.1:8080", s.node)
	s.write(t, "haproxy.cfg", config)
	return exec.Command(program("haproxy"), "-db", "-f", s.folder+"/haproxy.cfg")
}

// program returns where a program is: Debian keeps servers in a folder that is not
// in every user's PATH.
func program(name string) string {
	if _, err := exec.LookPath(name); err != nil {
		return "/usr/sbin/" + name
	}
	return name
}

func (s site) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeCertificate makes a certificate for localhost and returns what trusts it.
func (s site) writeCertificate(t *testing.T) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	chain := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	secret := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	s.write(t, "fullchain.pem", chain)
	s.write(t, "key.pem", secret)
	s.write(t, "both.pem", chain+secret)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(chain))
	return pool
}
