package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
	"boundary-app.org/realtime/internal/leaks"
)

const (
	hiddenKey   = "an-api-key-that-nobody-shows"
	hiddenEmail = "person@mail.example"
)

// transcript is what a program writes.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.Write(p)
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.String()
}

// probe asks a running server for everything, and keeps what it is told.
type probe struct {
	t             *testing.T
	public, admin string // host:port
	secrets       leaks.Secrets
	shown         bytes.Buffer
}

func newProbe(t *testing.T, public, admin string) *probe {
	return &probe{t: t, public: public, admin: admin, secrets: leaks.Secrets{"secret": secret, "API key": hiddenKey, "email": hiddenEmail}}
}

func (p *probe) mint(name string, claims map[string]any) string {
	p.t.Helper()
	claims["email"] = hiddenEmail
	if claims["exp"] == nil {
		claims["exp"] = time.Now().Add(time.Hour).Unix()
	}
	token, err := auth.Mint([]byte(secret), claims)
	if err != nil {
		p.t.Fatal(err)
	}
	p.secrets.AddToken(name, token)
	return token
}

// say sends octets and returns what is answered. A connection that is granted
// is left after its first frame.
func (p *probe) say(address, octets string) string {
	p.t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, octets); err != nil {
		p.t.Fatal(err)
	}
	var answer bytes.Buffer
	buffer := make([]byte, 64<<10)
	for err == nil && !strings.Contains(answer.String(), "$connected") {
		var n int
		n, err = conn.Read(buffer)
		answer.Write(buffer[:n])
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Errorf("%.60q is not answered to the end: %q", octets, &answer)
	}
	p.shown.Write(answer.Bytes())
	return answer.String()
}

// ask makes a request with header fields in lines of their own.
func (p *probe) ask(address, method, target string, lines ...string) string {
	p.t.Helper()
	head := []string{method + " " + target + " HTTP/1.1", "Host: localhost", "Connection: close"}
	return p.say(address, strings.Join(append(head, lines...), "\r\n")+"\r\n\r\n")
}

// upgrade asks for a WebSocket.
func (p *probe) upgrade(target string, lines ...string) string {
	p.t.Helper()
	head := []string{
		"GET " + target + " HTTP/1.1", "Host: localhost", "Connection: Upgrade, close", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
	}
	return p.say(p.public, strings.Join(append(head, lines...), "\r\n")+"\r\n\r\n")
}

// everyWay brings a token in every way there is.
func (p *probe) everyWay(name, token, want string) {
	p.t.Helper()
	const protocol = "Sec-WebSocket-Protocol: boundary.realtime.v1"
	for way, answer := range map[string]string{
		"query":                 p.upgrade("/ws?token=" + token),
		"query and subprotocol": p.upgrade("/ws?token="+token, protocol),
		"header":                p.upgrade("/ws", "Authorization: Bearer "+token),
		"subprotocol":           p.upgrade("/ws", protocol+", bearer."+token),
		"bare subprotocol":      p.upgrade("/ws", protocol+", "+token),
	} {
		if !strings.Contains(answer, want) {
			p.t.Errorf("%s, by %s: %q, want %q", name, way, answer, want)
		}
	}
}

func (p *probe) tokens() (good string) {
	p.t.Helper()
	good = p.mint("good", map[string]any{"sub": "u1"})
	forged := good[:len(good)-40] + strings.Repeat("ForgedSignature-", 3)[:39] + "A"
	p.secrets.AddToken("forged", forged)
	p.everyWay("good", good, "$connected")
	p.everyWay("forged", forged, "unauthorized: signature")
	p.everyWay("expired", p.mint("expired", map[string]any{"sub": "u1", "exp": 1}), "unauthorized: expired")
	p.everyWay("without sub", p.mint("without sub", map[string]any{"name": "u1"}), "unauthorized: subject")
	p.everyWay("oversize", p.mint("oversize", map[string]any{"sub": "u1", "padding": strings.Repeat("padding-", 800)}), "unauthorized: too_large")
	return good
}

// oddRequests have a good token, in a wrong place or beside something wrong.
func (p *probe) oddRequests(good string) {
	p.t.Helper()
	for target, want := range map[string]string{
		"/ws?token=" + good + "&token=" + good: "400 Bad Request",
		"/ws?token=" + good + "%zz":            "400 Bad Request",
		"/ws?a=1;token=" + good:                "400 Bad Request",
		"/" + good:                             "404 Not Found",
		"/v1/" + good:                          "401 Unauthorized",
		"/openapi.json?token=" + good:          "400 Bad Request",
		"/ready?token=" + good:                 "200 OK",
	} {
		if answer := p.upgrade(target); !strings.Contains(answer, want) {
			p.t.Errorf("%.15s...: %q, want %q", target, answer, want)
		}
	}
	for _, method := range []string{"GET", "POST", "HEAD", "OPTIONS", "TRACE", "CONNECT", "NEW"} {
		p.ask(p.public, method, "/ws?token="+good)
	}
	p.upgrade("/ws?token="+good, "Authorization: Bearer "+good)
	p.upgrade("/ws?token="+good, "Origin: https://evil.example/?token="+good)
	p.upgrade("/ws?token="+good, "Sec-WebSocket-Extensions: "+good+" "+good)
	p.upgrade("/ws?token="+good, "X-Long: "+strings.Repeat(good, 200)) // 431
	p.say(p.public, "GET /ws?token="+good+"\r\n\r\n")
	p.say(p.public, "GET /ws HTTP/1.1\r\nHost: localhost\r\nAuthorization Bearer "+good+"\r\n\r\n")
	p.say(p.public, "GET /ws?token="+good+" HTTP/1.1\r\nHost: localhost\r\nX: \x00"+good+"\r\n\r\n")
	p.say(p.public, "GET http://localhost:x/ws?token="+good+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

// calls asks the API, and operators' pages, while somebody is connected.
func (p *probe) calls(good string) {
	p.t.Helper()
	live, _, err := websocket.Dial(p.t.Context(), "http://"+p.public+"/ws?token="+good, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = live.CloseNow() }()
	for _, path := range []string{"/v1/topics", "/v1/connections/none", "/v1/connections?user=%zz", "/v1/nothing", "/v1/topics?limit=x"} {
		for _, key := range []string{hiddenKey, hiddenKey + "x", good, good + " " + hiddenKey} {
			p.ask(p.public, "GET", path, "Authorization: Bearer "+key)
		}
		p.ask(p.public, "GET", path+"?key="+hiddenKey)
	}
	if answer := p.ask(p.public, "GET", "/v1/topics", "Authorization: Bearer "+hiddenKey); !strings.Contains(answer, "200 OK") {
		p.t.Errorf("the API key opens nothing: %q", answer)
	}
	for _, page := range []string{
		"/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=1", "/debug/pprof/goroutine?debug=2",
		"/debug/pprof/heap?debug=1", "/debug/pprof/allocs?debug=1", "/debug/pprof/threadcreate?debug=1", "/debug/pprof/block?debug=1",
		"/debug/pprof/mutex?debug=1", "/debug/pprof/symbol", "/debug/pprof/trace?seconds=0.1", "/debug/pprof/nothing", "/health", "/nothing",
	} {
		if answer := p.ask(p.admin, "GET", page+"?&token="+good); answer == "" {
			p.t.Errorf("%s: no answer", page)
		}
		if answer := p.ask(p.admin, "GET", page); !strings.Contains(page, "nothing") && !strings.Contains(answer, "200 OK") {
			p.t.Errorf("%s: %.100q", page, answer)
		}
	}
	p.profile("/debug/pprof/heap")
	p.profile("/debug/pprof/goroutine")
}

// profile keeps a profile as it is before it is compressed.
func (p *probe) profile(path string) {
	p.t.Helper()
	response, err := http.Get("http://" + p.admin + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	plain, err := gzip.NewReader(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if n, err := io.Copy(&p.shown, plain); n == 0 || err != nil {
		p.t.Errorf("%s: %d octets, %v", path, n, err)
	}
}

func (p *probe) everything() {
	p.t.Helper()
	good := p.tokens()
	p.oddRequests(good)
	p.calls(good)
	for _, want := range []string{"unauthorized: signature", "realtime_refusals_total", "goroutine profile", "application/problem+json"} {
		if !strings.Contains(p.shown.String(), want) {
			p.t.Errorf("nobody was told %q: the test shows nothing", want)
		}
	}
	if found := p.secrets.ShownIn(p.shown.String()); len(found) > 0 {
		p.t.Errorf("the answers show %q", found)
	}
}

func (p *probe) wantsNothingIn(output string, signs ...string) {
	p.t.Helper()
	for _, want := range signs {
		if !strings.Contains(output, want) {
			p.t.Errorf("the output lacks %q: the test shows nothing\n%.2000s", want, output)
		}
	}
	if found := p.secrets.ShownIn(output); len(found) > 0 {
		p.t.Errorf("the output shows %q", found)
	}
	if found := p.secrets.ShownIn(output + `{"url":"/ws?token=` + p.mint("planted", map[string]any{"sub": "u2"})[:100] + `"}`); len(found) == 0 {
		p.t.Error("not even a planted token is found")
	}
}

// logged starts a server in this process that logs everything; stop ends it.
func logged(t *testing.T, environ ...string) (s *Server, output *transcript, stop func()) {
	t.Helper()
	environ = append(environ, "REALTIME_DRAIN=0s", "REALTIME_DRAIN_DELAY=0s", "REALTIME_LISTEN=127.0.0.1:0", "REALTIME_ADMIN_LISTEN=127.0.0.1:0")
	cfg, err := config.Load(config.Sources{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	output = new(transcript)
	s, err = New(cfg, slog.New(slog.NewTextHandler(output, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return s, output, stop
}

func TestNothingSecretShowsInProcess(t *testing.T) {
	t.Parallel()
	s, output, stop := logged(t, "REALTIME_JWT_HMAC_SECRET="+secret, "REALTIME_API_KEY="+hiddenKey)
	p := newProbe(t, s.public.listener.Addr().String(), s.admin.listener.Addr().String())
	p.everything()
	stop()
	p.wantsNothingIn(output.String(), "a connection was refused", "connection closed", "drained", "level=DEBUG")
}

// The program, with all its output captured, to the dump of all goroutines that
// a fatal signal leaves.
func TestNothingSecretShowsOfTheProgram(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "boundary-realtime")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "boundary-app.org/realtime/cmd/boundary-realtime").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	var output transcript
	child := exec.CommandContext(t.Context(), program, "serve", "--log-level=debug", "--log-format=json")
	child.Env = []string{
		"REALTIME_JWT_HMAC_SECRET=" + secret, "REALTIME_API_KEY=" + hiddenKey, "GOTRACEBACK=system",
		"REALTIME_LISTEN=127.0.0.1:0", "REALTIME_ADMIN_LISTEN=127.0.0.1:0",
	}
	child.Stdout, child.Stderr = &output, &output
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	public, admin := addressesIn(t, &output)
	p := newProbe(t, public, admin)
	p.everything()
	if err := child.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Error("it ends well after SIGQUIT")
	}
	p.wantsNothingIn(output.String(), "a connection was refused", `"level":"DEBUG"`, "SIGQUIT", "goroutine 1 ")
}

var listening = regexp.MustCompile(`"public":"http://([^"]+)","admin":"http://([^"]+)"`)

// addressesIn waits for the line that says where a program listens.
func addressesIn(t *testing.T, output *transcript) (public, admin string) {
	t.Helper()
	ticker, timeout := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer ticker.Stop()
	for {
		if match := listening.FindStringSubmatch(output.String()); match != nil {
			return match[1], match[2]
		}
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatalf("it does not listen:\n%s", output)
		}
	}
}

// Dev mode, which gives tokens away, says so loudly, and logs nothing of what it
// gives; the page shows none of it before it has asked.
func TestNothingSecretShowsInDevMode(t *testing.T) {
	t.Parallel()
	s, output, stop := logged(t, "REALTIME_DEV=1")
	p := newProbe(t, s.public.listener.Addr().String(), s.admin.listener.Addr().String())
	token, err := s.dev.token("alice", nil, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p.secrets = leaks.Secrets{"dev secret": string(s.dev.secret), "dev key": s.dev.apiKey}
	p.secrets.AddToken("dev token", token)
	p.everyWay("dev token", token, "$connected")
	for _, path := range []string{"/", "/?token=" + token, "/index.html", "/nothing", "/dev/session", "/openapi.json", "/ws?token=x" + token} {
		p.ask(p.public, "GET", path)
	}
	p.ask(p.public, "POST", "/dev/session", "Authorization: Bearer "+s.dev.apiKey)
	stop()
	if found := p.secrets.ShownIn(p.shown.String()); len(found) > 0 || !strings.Contains(strings.ToLower(p.shown.String()), "<!doctype html") {
		t.Errorf("the page shows %q, or is not there", found)
	}
	p.wantsNothingIn(output.String(), `level=WARN msg="dev mode: everyone on this machine can get a token; do not use it in production"`, "level=DEBUG")
}
