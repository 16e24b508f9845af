package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"boundary-app.org/realtime/auth"
)

const (
	testSecret = "a-known-secret-of-32-octets-or-more"
	testKey    = "a-known-api-key-of-the-tests"
)

func production() []string {
	return []string{"REALTIME_JWT_HMAC_SECRET=" + testSecret, "REALTIME_API_KEY=" + testKey}
}

func mint(t *testing.T, user string, more map[string]any) string {
	t.Helper()
	claims := map[string]any{"sub": user, "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range more {
		claims[name] = value
	}
	token, err := auth.Mint([]byte(testSecret), claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// dial connects and reads the first frame.
func dial(t *testing.T, public, token string, protocols ...string) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, public+"/ws?token="+token, &websocket.DialOptions{Subprotocols: protocols})
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	if hello := read(t, conn); hello["type"] != "$connected" {
		t.Fatalf("the first frame is %v", hello)
	}
	return conn
}

func read(t *testing.T, conn *websocket.Conn) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, data, err := conn.Read(ctx)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("read %s: %v", data, err)
	}
	return m
}

// call makes a request and returns status and body.
func call(t *testing.T, method, url, body string, headers ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "realtime.yaml")
	if err := os.WriteFile(file, []byte("pingg_interval: 5s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		env  []string
		args []string
		want []string
	}{
		{"without keys", nil, []string{"serve"}, []string{"no way to verify tokens", "REALTIME_JWT_HMAC_SECRET", "REALTIME_JWKS_URL", "serve --dev"}},
		{"an unknown variable", append(production(), "REALTIME_ALOWED_ORIGINS=https://a.example"), []string{"serve"}, []string{"did you mean REALTIME_ALLOWED_ORIGINS?"}},
		{"an unknown key", production(), []string{"serve", "--config", file}, []string{file + `:1: "pingg_interval"`, "did you mean ping_interval?"}},
		{"an unknown flag", production(), []string{"serve", "--lissten=:1"}, []string{"unknown flag --lissten", "--listen"}},
		{"a bad flag", production(), []string{"serve", "--drain=soon"}, []string{`--drain: "soon" is not a duration`}},
		{"a secret as a flag", production(), []string{"serve", "--api-key=hush"}, []string{"unknown flag --api-key"}},
		{"dev for everybody", nil, []string{"serve", "--dev", "--listen=0.0.0.0:0"}, []string{"not a loopback address"}},
		{"dev with keys", production(), []string{"serve", "--dev"}, []string{"unset REALTIME_JWT_HMAC_SECRET, REALTIME_API_KEY, or leave out --dev"}},
		{"metrics for everybody", []string{"REALTIME_JWT_HMAC_SECRET=" + testSecret}, []string{"serve", "--admin-listen=0.0.0.0:0"}, []string{"admin_listen", "set REALTIME_API_KEY"}},
		{"a short API key", []string{"REALTIME_JWT_HMAC_SECRET=" + testSecret, "REALTIME_API_KEY=hush"}, []string{"serve"}, []string{"api_key: key 1 of 1 has 4 bytes", "openssl rand -hex 16"}},
		{"everything at once", []string{"REALTIME_DRAIN=x", "REALTIME_COMPRESSION=x"}, []string{"serve"}, []string{"3 problems", "REALTIME_DRAIN", "REALTIME_COMPRESSION", "no way"}},
		{"no command", nil, nil, []string{"expected one of"}},
		{"an unknown command", nil, []string{"sevre"}, []string{`did you mean "serve"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := start(t, test.env, test.args...)
			if code := p.exit(); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			for _, want := range test.want {
				if !strings.Contains(p.stderr.String(), want) {
					t.Errorf("%q does not say %q", p.stderr.String(), want)
				}
			}
			if strings.Contains(p.stderr.String(), "hush") || p.stdout.String() != "" {
				t.Errorf("it says too much: %q, %q", p.stdout.String(), p.stderr.String())
			}
		})
	}
}

// Without an API key the server says that the API is disabled; with one it does not.
func TestServeWithoutAPIKey(t *testing.T) {
	t.Parallel()
	without, _, _ := serve(t, "REALTIME_JWT_HMAC_SECRET="+testSecret)
	without.stderr.wait(t, regexp.MustCompile(`"level":"WARN","msg":"the HTTP API is disabled[^"]*REALTIME_API_KEY`))
	with, _, _ := serve(t, production()...)
	with.signal(syscall.SIGTERM)
	with.exit()
	if strings.Contains(with.stderr.String(), "disabled") {
		t.Errorf("with a key it says:\n%s", with.stderr.String())
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "serve", "--help")
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	help := p.stdout.String()
	for _, part := range []string{
		"REALTIME_JWT_HMAC_SECRET\n", "REALTIME_API_KEY\n", "--config=FILE",
		"\nListeners:\n", "--listen=", "\nTokens:\n", "--jwks-url=", "\nAccess:\n", "--api-key-file=",
		"\nLimits:\n", "--message-size=", "\nTimes:\n", "--drain-delay=", "\nLog:\n", "--log-level=",
	} {
		_, after, found := strings.Cut(help, part)
		if !found {
			t.Fatalf("the help lacks %q, or has it too early:\n%s", part, p.stdout.String())
		}
		help = after
	}
}

func TestVersionFlag(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--version"}, {"serve", "--version"}} {
		p := start(t, nil, args...)
		if code := p.exit(); code != 0 || !strings.HasPrefix(p.stdout.String(), "boundary-realtime ") || p.stderr.String() != "" {
			t.Errorf("%v: exit code %d, %q, %q", args, code, p.stdout.String(), p.stderr.String())
		}
	}
}

func TestServeSendTail(t *testing.T) {
	t.Parallel()
	_, public, _ := serve(t, production()...)
	_, token, _ := run(t, production(), "", "token", "mint", "--sub=u1", "--role=editor", "--topic=room:*")

	tail := start(t, []string{"REALTIME_TOKEN=" + strings.TrimSpace(token), "REALTIME_URL=" + strings.Replace(public, "http", "ws", 1) + "/ws"}, "tail", "--topic=room:1")
	tail.stderr.wait(t, regexp.MustCompile(`connected as u1, connection (\S+)\nsubscribed to room:1\n`))

	send := func(want string, args ...string) {
		t.Helper()
		code, stdout, stderr := run(t, append(production(), "REALTIME_API_URL="+public), `{"type":"from-input"}`, append([]string{"send"}, args...)...)
		if code != 0 || stdout != want+"\n" {
			t.Errorf("send %v: %d %q %q, want %s", args, code, stdout, stderr, want)
		}
	}
	id := regexp.MustCompile(`connection (\S+)`).FindStringSubmatch(tail.stderr.String())[1]
	send(`{"recipients":1}`, "user", "u1", "--type=a", `--payload={"n":1}`)
	send(`{"recipients":1}`, "role", "editor", "--type=b")
	send(`{"recipients":1}`, "connection", id, `--json={"type":"c","flat":[1, 2]}`)
	send(`{"recipients":1}`, "topic", "room:1", "-")
	send(`{"recipients":1}`, "broadcast", "--json=-")
	send(`{"recipients":0}`, "user", "../nobody/%2F", "--type=lost")

	tail.stdout.wait(t, regexp.MustCompile(`(?m)\A\{"type":"a","payload":\{"n":1\},"timestamp":"[^"]+"\}
\{"type":"b","timestamp":"[^"]+"\}
\{"type":"c","flat":\[1,2\],"timestamp":"[^"]+"\}
\{"type":"from-input","timestamp":"[^"]+","topic":"room:1"\}
\{"type":"from-input","timestamp":"[^"]+"\}
\z`))
	tail.signal(os.Interrupt)
	if code := tail.exit(); code != 0 {
		t.Errorf("tail exits with %d after an interrupt: %s", code, tail.stderr.String())
	}

	denied := start(t, []string{"REALTIME_TOKEN=" + strings.TrimSpace(token)}, "tail", "--url="+strings.Replace(public, "http", "ws", 1)+"/ws", "--topic=secret:1")
	if code := denied.exit(); code != 1 || !strings.Contains(denied.stderr.String(), `forbidden: you may not subscribe to "secret:1"`) {
		t.Errorf("a topic that is not granted: %d %s", code, denied.stderr.String())
	}
	refused := start(t, []string{"REALTIME_TOKEN=a.b.c"}, "tail", "--url="+strings.Replace(public, "http", "ws", 1)+"/ws")
	if code := refused.exit(); code != 1 || !strings.Contains(refused.stderr.String(), "for good: 4500") {
		t.Errorf("a bad token: %d %s", code, refused.stderr.String())
	}
}

func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	p, public, admin := serve(t, append(production(), "REALTIME_LOG_LEVEL=debug", "REALTIME_DRAIN=1s")...)
	token := mint(t, "u1", map[string]any{"email": "someone@mail.example"})
	conn := dial(t, public, token)
	bad := token[:len(token)-8] + "AAAAAAAA"
	for _, query := range []string{"?token=" + bad, "?token=" + token + "&token=" + bad, "?other=" + token, "?token=" + token + "%zz"} {
		if status, answer := call(t, "GET", public+"/ws"+query, ""); status < 400 || strings.Contains(answer, token) || strings.Contains(answer, bad) {
			t.Errorf("%.10s...: %d %s", query, status, answer)
		}
	}
	if status, _ := call(t, "POST", public+"/v1/users/u1/messages", `{"type":"x","payload":"private words"}`, "Authorization", "Bearer "+testKey); status != 200 {
		t.Errorf("send: %d", status)
	}
	if got := read(t, conn); got["payload"] != "private words" {
		t.Errorf("received %v", got)
	}
	call(t, "POST", public+"/v1/broadcast", `{"type":"x"}`, "Authorization", "Bearer a-wrong-api-key")
	_ = conn.Close(websocket.StatusNormalClosure, "")
	status, metrics := call(t, "GET", admin+"/metrics", "")
	if status != 200 || !strings.Contains(metrics, "refusals_total") {
		t.Fatalf("/metrics: %d %.200s", status, metrics)
	}
	_, profiles := call(t, "GET", admin+"/debug/pprof/cmdline", "")
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	all := p.stdout.String() + p.stderr.String() + metrics + profiles
	if !strings.Contains(all, "a connection was refused") {
		t.Errorf("the log is not on: %s", p.stderr.String())
	}
	for _, hidden := range []string{testSecret, testKey, token, bad, token[len(token)-20:], "someone@mail.example", "private words", "a-wrong-api-key"} {
		if strings.Contains(all, hidden) {
			t.Errorf("%q shows in the output", hidden)
		}
	}
}

func TestDevBanner(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"REALTIME_LISTEN=127.0.0.1:0", "REALTIME_ADMIN_LISTEN=off"}, "serve", "--dev")
	link := p.stdout.wait(t, regexp.MustCompile(`(http://127\.0\.0\.1:[1-9]\d*)/#token=(\S+)`))
	public, token := link[1], link[2]
	key := p.stdout.wait(t, regexp.MustCompile(`API key: (\S+)`))[1]
	line := p.stdout.wait(t, regexp.MustCompile(`(?m)^ +(curl .*)$`))[1]
	p.stdout.wait(t, regexp.MustCompile(`DEV MODE.*not for production`))

	conn := dial(t, public, token)
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(`{"action":"subscribe","topic":"any:topic","ref":1}`)); err != nil {
		t.Fatal(err)
	}
	if reply := read(t, conn); reply["ok"] != true {
		t.Errorf("subscribe in dev mode: %v", reply)
	}
	parts := regexp.MustCompile(`^curl -sS (\S+) -H 'Authorization: Bearer (\S+)' -H 'Content-Type: application/json' -d '(.*)'$`).FindStringSubmatch(line)
	if len(parts) != 4 || parts[2] != key {
		t.Fatalf("the curl line is %s", line)
	}
	if status, body := call(t, "POST", parts[1], parts[3], "Authorization", "Bearer "+parts[2]); status != 200 || !strings.Contains(body, `"recipients":1`) {
		t.Errorf("the curl line: %d %s", status, body)
	}
	if got := read(t, conn); got["type"] != "hello" {
		t.Errorf("received %v", got)
	}
	if strings.Contains(p.stderr.String(), token) || strings.Contains(p.stderr.String(), key) {
		t.Error("the log shows what only the banner should")
	}
}
