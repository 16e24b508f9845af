package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

// reloading is a server whose files a test changes.
type reloading struct {
	*running
	dir   string
	asked chan os.Signal
	level slog.LevelVar
	log   transcript
	read  int // bytes of the log
}

// runReloading starts a server of a file of settings in a folder that may hold
// others already. It looks at them every 5 ms, unless the settings say otherwise.
func runReloading(t *testing.T, dir, settings string) *reloading {
	t.Helper()
	r := &reloading{dir: dir, asked: make(chan os.Signal)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log:\n%s", r.log.String())
		}
	})
	var preset strings.Builder
	for _, setting := range []string{"listen: 127.0.0.1:0", "admin_listen: 127.0.0.1:0", "drain: 0s", "drain_delay: 0s", "reload_interval: 5ms"} {
		if name, _, _ := strings.Cut(setting, ":"); !strings.Contains("\n"+settings, "\n"+name+":") {
			preset.WriteString(setting + "\n")
		}
	}
	r.write("preset", preset.String())
	r.set(settings)
	load := func() (*config.Config, error) {
		cfg, err := config.Load(config.Sources{File: filepath.Join(dir, "realtime.yaml"), Environ: []string{"REALTIME_JWT_AUDIENCE="}})
		return cfg, errors.Join(err, cfg.Check())
	}
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(cfg, slog.New(slog.NewJSONHandler(&r.log, &slog.HandlerOptions{Level: &r.level})))
	if err != nil {
		t.Fatal(err)
	}
	s.OnReload(Reload{Load: load, Asked: r.asked, Level: &r.level})
	ctx, cancel := context.WithCancel(context.Background())
	r.running = &running{Server: s, t: t, ended: make(chan error, 1)}
	go func() { r.ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-r.ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return r
}

// write replaces a file as editors do.
func (r *reloading) write(name, text string) {
	temporary := filepath.Join(r.dir, name+"~")
	if err := errors.Join(os.WriteFile(temporary, []byte(text), 0o600), os.Rename(temporary, filepath.Join(r.dir, name))); err != nil {
		panic(err)
	}
}

// set writes the settings behind those that all servers of the tests have.
func (r *reloading) set(settings string) {
	preset, err := os.ReadFile(filepath.Join(r.dir, "preset"))
	if err != nil {
		panic(err)
	}
	r.write("realtime.yaml", string(preset)+strings.ReplaceAll(settings, "DIR", r.dir))
}

// line is what the log says of a reload.
type line struct {
	Level, Msg, Cause           string
	Changes, Settings, Problems []string
}

// wants waits for the next line with the words in its message.
func (r *reloading) wants(words string) (found line) {
	r.t.Helper()
	timeout, ticker := time.After(time.Minute), time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for {
		log := r.log.String()
		for raw := range strings.Lines(log[r.read:]) {
			if !strings.HasSuffix(raw, "\n") {
				break
			}
			r.read += len(raw)
			if err := json.Unmarshal([]byte(raw), &found); err != nil {
				r.t.Fatal(err)
			}
			if strings.Contains(found.Msg, words) {
				return found
			}
		}
		select {
		case <-ticker.C:
		case <-timeout:
			r.t.Fatalf("the log does not say %q", words)
		}
	}
}

func (r *reloading) wantsChanges(changes ...string) {
	r.t.Helper()
	if got := r.wants("was reloaded"); !slices.Equal(got.Changes, changes) || got.Level != "INFO" {
		r.t.Errorf("the log tells of %q, want %q", got.Changes, changes)
	}
}

// A change counts when two looks found the same, and not when it was taken back.
func TestChangeCountsAtTheSecondLook(t *testing.T) {
	t.Parallel()
	files := &reloading{dir: t.TempDir()}
	files.write("preset", "")
	files.set(withSecret)
	cfg, err := config.Load(config.Sources{File: filepath.Join(files.dir, "realtime.yaml")})
	if err != nil {
		t.Fatal(err)
	}
	r := newReloader(&Server{cfg: cfg, loaded: cfg.DigestsLoaded()}, Reload{})
	for i, step := range []struct {
		writes string // "": nothing
		want   bool
	}{
		{"", false},
		{"message_rate: 1\n", false},
		{"message_rate: 2\n", false},
		{"", true},
		{"", true}, // until it is taken
		{"message_rate: 3\n", false},
		{"\n", false},
		{"\n", true}, // an empty line is a change
	} {
		if step.writes != "" {
			files.set(withSecret + step.writes)
		}
		if got := r.changed(); got != step.want {
			t.Errorf("step %d: changed is %v, want %v", i, got, step.want)
		}
	}
	files.set(withSecret)
	for range 2 {
		if r.changed() {
			t.Error("what is in force already is a change")
		}
	}
}

const withSecret = "jwt_hmac_secret: " + secret + "\n"

func TestReloadOfSettings(t *testing.T) {
	t.Parallel()
	r := runReloading(t, t.TempDir(), withSecret)
	dial := func(origin string) (status int) {
		_, response, _ := websocket.Dial(t.Context(), r.publicURL()+"/ws?token="+mintFor(t, secret), &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
		return response.StatusCode
	}
	if status := dial("https://app.example"); status != 403 {
		t.Errorf("a foreign origin gets %d", status)
	}
	r.set(withSecret + "message_rate: 7\nconnections_per_user: 3\nlog_level: debug\nallowed_origins: https://app.example\n")
	r.wantsChanges(`allowed_origins: "" -> https://app.example`, "message_rate: 1000 -> 7", "connections_per_user: 0 -> 3", "log_level: info -> debug")
	if l := r.svc.Limits(); l.MessageRate != 7 || l.ConnectionsPerUser != 3 || r.level.Level() != slog.LevelDebug {
		t.Errorf("the limits are %+v and the level is %v", l, r.level.Level())
	}
	if status := dial("https://app.example"); status != 101 {
		t.Errorf("an origin that was added gets %d", status)
	}
	r.set(withSecret)
	r.wantsChanges(`allowed_origins: https://app.example -> ""`, "message_rate: 7 -> 1000", "connections_per_user: 3 -> 0", "log_level: debug -> info")
}

// mintFor makes a token that a secret verifies.
func mintFor(t *testing.T, secret string) string {
	t.Helper()
	token, err := auth.Mint([]byte(secret), map[string]any{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// What is wrong is refused as a whole, and taken once it is mended.
func TestReloadRefusesAsAWhole(t *testing.T) {
	t.Parallel()
	r := runReloading(t, t.TempDir(), withSecret)
	before := r.svc.Limits()
	for settings, want := range map[string]string{
		"message_rate: 7\nmesage_burst: 8\n":              "did you mean message_burst?",
		"message_rate: 7\nlog_level: loud\n":              "is not allowed",
		"message_rate: 7\njwt_hmac_secret_file: DIR/none": "are both set",
		"message_rate: 7\nbacklog: 1KiB\n":                "backlog",
		"message_rate: 7\napi_key: hush\n":                "api_key: key 1 of 1 has 4 bytes",
		"message_rate: [\n":                               "yaml",
	} {
		r.set(withSecret + settings)
		refused := r.wants("is refused as a whole")
		if refused.Level != "ERROR" || !strings.Contains(strings.Join(refused.Problems, "\n"), want) {
			t.Errorf("%q: the log says %q", settings, refused.Problems)
		}
		if r.svc.Limits() != before {
			t.Errorf("%q: the limits are %+v", settings, r.svc.Limits())
		}
	}
	r.set(withSecret + "message_rate: 7\n")
	r.wantsChanges("message_rate: 1000 -> 7")
	_, metrics := r.do(request(t, "GET", r.admin.url()+"/metrics", ""))
	for _, want := range []string{`realtime_config_reloads_total{result="refused"} 6`, `realtime_config_reloads_total{result="taken"} 1`} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if log := r.log.String(); strings.Contains(log, "hush") || strings.Contains(log, secret) {
		t.Error("the log shows a secret")
	}
}

// Some settings wait for the next start, and the log says which.
func TestReloadNamesWhatNeedsARestart(t *testing.T) {
	t.Parallel()
	r := runReloading(t, t.TempDir(), withSecret)
	address := r.publicURL()
	r.set(withSecret + "message_rate: 7\nmessage_size: 1KiB\ncompression: on\njwt_leeway: 1s\n")
	r.wantsChanges("message_rate: 1000 -> 7")
	pending := r.wants("take effect only at the next start")
	if want := []string{"compression: false -> true", "jwt_leeway: 30s -> 1s", "message_size: 64KiB -> 1KiB"}; !slices.Equal(pending.Settings, want) || pending.Level != "WARN" {
		t.Errorf("the log names %q, want %q", pending.Settings, want)
	}
	if r.svc.Limits().MessageSize != 64<<10 || r.publicURL() != address {
		t.Error("what needs a restart has changed")
	}
	r.asked <- syscall.SIGHUP
	r.wantsChanges()
	if again := r.wants("take effect only at the next start"); !slices.Equal(again.Settings, pending.Settings) {
		t.Errorf("the second time the log names %q", again.Settings)
	}
}

// With an interval of 0 the files are read when a signal asks.
func TestReloadOnSignalOnly(t *testing.T) {
	t.Parallel()
	r := runReloading(t, t.TempDir(), withSecret+"reload_interval: 0s\n")
	r.set(withSecret + "reload_interval: 0s\nmessage_rate: 7\n")
	r.asked <- syscall.SIGHUP
	if got := r.wants("was reloaded"); got.Cause != "a signal" || !slices.Equal(got.Changes, []string{"message_rate: 1000 -> 7"}) {
		t.Errorf("the log says %+v", got)
	}
	r.asked <- syscall.SIGHUP
	if got := r.wants("was reloaded"); !strings.HasSuffix(got.Msg, "; nothing changed") || strings.Contains(r.log.String(), "null") {
		t.Errorf("without a change the log says %s", r.log.String())
	}
}

// Kubernetes replaces all files of a volume by one symbolic link. New tokens and
// calls need the new keys; connections live on.
func TestReloadOfKeys(t *testing.T) {
	t.Parallel()
	const newSecret, newKey = "fedcba9876543210fedcba9876543210", "a-newer-api-key-of-the-tests"
	dir := t.TempDir()
	volume := func(name, secret, key string) {
		t.Helper()
		version := filepath.Join(dir, name)
		err := errors.Join(os.Mkdir(version, 0o700),
			os.WriteFile(filepath.Join(version, "secret"), []byte(secret), 0o600), os.WriteFile(filepath.Join(version, "keys"), []byte(key), 0o600),
			os.Symlink(name, filepath.Join(dir, "..data~")), os.Rename(filepath.Join(dir, "..data~"), filepath.Join(dir, "..data")))
		if err != nil {
			t.Fatal(err)
		}
	}
	volume("..1", secret, apiKey)
	const settings = "jwt_hmac_secret_file: DIR/..data/secret\napi_key_file: DIR/..data/keys\nadmin_listen: 0.0.0.0:0\n"
	r := runReloading(t, dir, settings)
	old, hello := connect(t, r.publicURL(), mintFor(t, secret), r.publicURL())
	admin := fmt.Sprintf("http://127.0.0.1:%s/metrics", r.admin.url()[strings.LastIndex(r.admin.url(), ":")+1:])
	send := func(url, key string) int {
		t.Helper()
		method, body := "GET", ""
		if url != admin {
			method, body = "POST", `{"type":"x"}`
		}
		response, _ := r.do(request(t, method, url, body, "Authorization", "Bearer "+key, "Content-Type", "application/json"))
		return response.StatusCode
	}
	call := fmt.Sprintf("%s/v1/connections/%s/messages", r.publicURL(), hello["connectionId"])
	if send(call, apiKey) != 200 || send(admin, apiKey) != 200 || send(call, newKey) != 401 || send(admin, newKey) != 401 {
		t.Error("the keys of the start do not count")
	}
	r.set(settings) // which changes nothing
	volume("..2", newSecret, newKey)
	r.wantsChanges("jwt_hmac_secret_file: the file changed", "api_key_file: the file changed")
	if send(call, newKey) != 200 || send(admin, newKey) != 200 || send(call, apiKey) != 401 || send(admin, apiKey) != 401 {
		t.Error("the new API key does not count, or the old one does")
	}
	for range 2 { // of both keys
		if _, data, err := old.Read(t.Context()); err != nil || !strings.Contains(string(data), `"x"`) {
			t.Errorf("the connection of before reads %s (%v)", data, err)
		}
	}
	connect(t, r.publicURL(), mintFor(t, newSecret), r.publicURL())
	if _, response, err := websocket.Dial(t.Context(), r.publicURL()+"/ws?token="+mintFor(t, secret), nil); err == nil || response.StatusCode != 401 {
		t.Errorf("a token of the old secret gets %v", err)
	}
	for _, hidden := range []string{secret, newSecret, apiKey, newKey} {
		if strings.Contains(r.log.String(), hidden) {
			t.Error("the log shows a key")
		}
	}
}

// A certificate and its key are replaced one after the other, as tools do: what
// does not fit is not taken.
func TestReloadOfCertificate(t *testing.T) {
	t.Parallel()
	first, firstKey, roots := certificate(t)
	second, secondKey, newRoots := certificate(t)
	dir := t.TempDir()
	install := func(from, name string) {
		t.Helper()
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		(&reloading{dir: dir}).write(name, string(text))
	}
	install(first, "cert.pem")
	install(firstKey, "key.pem")
	r := runReloading(t, dir, withSecret+"tls_cert_file: DIR/cert.pem\ntls_key_file: DIR/key.pem\n")
	handshake := func(roots *x509.CertPool) error {
		conn, err := tls.Dial("tcp", r.public.listener.Addr().String(), &tls.Config{RootCAs: roots})
		if err == nil {
			err = conn.Close()
		}
		return err
	}
	if err := handshake(roots); err != nil {
		t.Fatal(err)
	}
	install(secondKey, "key.pem")
	if refused := r.wants("is refused as a whole"); !strings.Contains(refused.Problems[0], " tls_key_file: it is not the private key") {
		t.Errorf("the problems are %q", refused.Problems)
	}
	if err := handshake(roots); err != nil {
		t.Errorf("while the files do not fit: %v", err)
	}
	install(second, "cert.pem")
	r.wantsChanges("tls_cert_file: the file changed", "tls_key_file: the file changed")
	if err := handshake(newRoots); err != nil {
		t.Errorf("with the new certificate: %v", err)
	}
	if err := handshake(roots); err == nil {
		t.Error("the old certificate is still shown")
	}
}

// In dev mode keys and tokens stay those of the start.
func TestReloadInDevMode(t *testing.T) {
	t.Parallel()
	r := runReloading(t, t.TempDir(), "dev: true\n")
	token, err := r.dev.token("u1", nil, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r.set("dev: true\nmessage_rate: 7\njwt_issuer: me\n")
	r.wantsChanges("message_rate: 1000 -> 7")
	r.wants("take effect only at the next start")
	connect(t, r.publicURL(), token, r.publicURL())
}
