package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "realtime.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustLoad(t *testing.T, from Sources) *Config {
	t.Helper()
	c, err := Load(from)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, Sources{})
	want := &Config{
		Listener: Listener{Public: "127.0.0.1:8080", Admin: "127.0.0.1:8081"},
		JWT: JWT{Leeway: 30 * time.Second, Lifetime: 24 * time.Hour, Claims: ClaimNames{
			UserID: "sub", Role: "role", Roles: "roles", Permissions: "permissions", Topics: "topics", Email: "email",
		}},
		Access: Access{TokenParam: "token"},
		Limits: Limits{HeaderSize: 16 << 10, MessageSize: 64 << 10, Backlog: 1 << 20, Topics: 128, MessageRate: 1000, MessageBurst: 2000},
		Times:  Times{PingInterval: 25 * time.Second, PongTimeout: 10 * time.Second, ExpiryGrace: 25 * time.Second, DrainDelay: 5 * time.Second, Drain: 30 * time.Second, Reload: 2 * time.Second},
		Log:    Log{Format: LogAuto},
	}
	c.origins, c.places = nil, nil
	if diff := cmp.Diff(want, c, cmp.AllowUnexported(Config{})); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestFlagsOverEnvironmentOverFile(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "listen: 127.0.0.1:1\ndrain: 1s\nlog_level: debug\nallowed_origins: [https://a.example, https://b.example]\n")
	environ := []string{"REALTIME_CONFIG=" + file, "REALTIME_LISTEN=127.0.0.1:2", "REALTIME_DRAIN=2s", "HOME=/root"}
	c := mustLoad(t, Sources{Environ: environ, Flags: map[string]string{"listen": "127.0.0.1:3"}})

	if got := c.Listener.Public; got != "127.0.0.1:3" {
		t.Errorf("listen is %s, want the flag's", got)
	}
	if got := c.Times.Drain; got != 2*time.Second {
		t.Errorf("drain is %v, want the environment's", got)
	}
	if got := c.Log.Level.String(); got != "DEBUG" {
		t.Errorf("log level is %v, want the file's", got)
	}
	if diff := cmp.Diff([]string{"https://a.example", "https://b.example"}, c.Access.AllowedOrigins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	want := map[string]string{"listen": "flag", "drain": "environment", "log_level": file, "pong_timeout": "default"}
	for name, origin := range want {
		if c.origins[name] != origin {
			t.Errorf("%s comes from %q, want %q", name, c.origins[name], origin)
		}
	}
}

// Dev mode ends at once, unless told otherwise.
func TestDrainDelayInDevMode(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]time.Duration{
		"":                                       5 * time.Second,
		"REALTIME_DEV=1":                         0,
		"REALTIME_DEV=0":                         5 * time.Second,
		"REALTIME_DEV=1 REALTIME_DRAIN_DELAY=2s": 2 * time.Second,
	} {
		if got := mustLoad(t, Sources{Environ: strings.Fields(environ)}).Times.DrainDelay; got != want {
			t.Errorf("%s: %v, want %v", environ, got, want)
		}
	}
}

func TestFileNamedByFlagIsStronger(t *testing.T) {
	t.Parallel()
	byFlag, byVariable := writeFile(t, "drain: 1s"), writeFile(t, "drain: 2s")
	c := mustLoad(t, Sources{File: byFlag, Environ: []string{"REALTIME_CONFIG=" + byVariable}})
	if c.Times.Drain != time.Second {
		t.Errorf("drain is %v, want that of the file named by the flag", c.Times.Drain)
	}
}

func TestStrongerSourceOfASecretWins(t *testing.T) {
	t.Parallel()
	stored := writeFile(t, "in the file\n")
	both := "are both set in the same source"
	tests := []struct {
		name string
		file string
		env  []string
		flag map[string]string
		want string // the secret, or a part of the error
	}{
		{name: "flag over environment", env: []string{"REALTIME_JWT_HMAC_SECRET=plain"}, flag: map[string]string{"jwt_hmac_secret_file": stored}, want: "in the file"},
		{name: "environment over file", file: "jwt_hmac_secret_file: " + stored, env: []string{"REALTIME_JWT_HMAC_SECRET=plain"}, want: "plain"},
		{name: "file's file under environment", file: "jwt_hmac_secret: plain", env: []string{"REALTIME_JWT_HMAC_SECRET_FILE=" + stored}, want: "in the file"},
		{name: "an empty flag", env: []string{"REALTIME_JWT_HMAC_SECRET=plain"}, flag: map[string]string{"jwt_hmac_secret_file": ""}, want: "plain"},
		{name: "both in the environment", env: []string{"REALTIME_JWT_HMAC_SECRET=plain", "REALTIME_JWT_HMAC_SECRET_FILE=" + stored}, want: both},
		{name: "both in the file", file: "jwt_hmac_secret: plain\njwt_hmac_secret_file: " + stored, want: both},
		{name: "both in the file, one over it", file: "jwt_hmac_secret: old\njwt_hmac_secret_file: " + stored, env: []string{"REALTIME_JWT_HMAC_SECRET=plain"}, want: "plain"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			from := Sources{Environ: test.env, Flags: test.flag}
			if test.file != "" {
				from.File = writeFile(t, test.file+"\n")
			}
			secret, err := mustLoad(t, from).HMACSecret()
			switch {
			case test.want == both && (err == nil || !strings.Contains(err.Error(), both)):
				t.Errorf("the error is %v, want %q", err, both)
			case test.want != both && (err != nil || string(secret) != test.want):
				t.Errorf("the secret is %q (%v), want %q", string(secret), err, test.want)
			}
		})
	}
	keys, err := mustLoad(t, Sources{Environ: []string{"REALTIME_API_KEY=k"}, Flags: map[string]string{"api_key_file": stored}}).APIKeys()
	if err != nil || len(keys) != 1 || keys[0] != "in the file" {
		t.Errorf("%d API keys (%v), want the one of the flag's file", len(keys), err)
	}
}

func TestSuggestion(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"drian": "; did you mean drain?", "lisen": "; did you mean listen?", "api_keys": "; did you mean api_key?",
		"REALTIME_TOKEN_PARM": "; did you mean token_param?", "ping_intervals_": "; did you mean ping_interval?",
		"x": "", "dr": "", "port": "", "debug": "", "train_no": "", "REALTIME_X": "",
	} {
		if want == "" {
			want = "; check-config --reference lists all"
		}
		if got := suggestion(name, names()); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := suggestion("REALTIME_X", envNames()); strings.Contains(got, "mean") {
		t.Errorf("REALTIME_X: %q", got)
	}
}

func TestWhatIsWrong(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		env  []string
		file string
		flag map[string]string
		want []string // of the text
	}{
		{name: "misspelt variable", env: []string{"REALTIME_PING_INTERVALL=5s"}, want: []string{"REALTIME_PING_INTERVALL", "did you mean REALTIME_PING_INTERVAL?"}},
		{name: "unknown variable", env: []string{"REALTIME_COLOUR_SCHEME=red"}, want: []string{"REALTIME_COLOUR_SCHEME", "unknown variable", "check-config --reference"}},
		{name: "variable in small letters", env: []string{"REALTIME_listen=:1"}, want: []string{"REALTIME_listen", "did you mean REALTIME_LISTEN?"}},
		{name: "misspelt key", file: "drian: 1s\n", want: []string{`:1: "drian"`, "did you mean drain?"}},
		{name: "key twice", file: "drain: 1s\ndrain: 2s\n", want: []string{":2: drain", "already set in line 1"}},
		{name: "key without value", file: "drain:\n", want: []string{":1: drain", "no value"}},
		{name: "nested value", file: "drain: {after: 1s}\n", want: []string{":1: drain", "plain value"}},
		{name: "alias", file: "drain: &d 1s\npong_timeout: *d\n", want: []string{":2: pong_timeout", "plain value"}},
		{name: "nested list", file: "required_roles: [[a]]\n", want: []string{":1: required_roles", "plain texts"}},
		{name: "not a mapping", file: "- drain\n", want: []string{"not a mapping"}},
		{name: "two documents", file: "drain: 1s\n---\ndrain: 2s\n", want: []string{"more than one YAML document"}},
		{name: "not YAML in the first line", file: "a: b: c\n", want: []string{"yaml: line 1: mapping values are not allowed"}},
		{name: "a control character", file: "drain: 1s\n\n\ndrain: \x01\n", want: []string{"yaml: line 4: control characters"}},
		{name: "not UTF-8", file: "drain: 1s\npong_timeout: \xff\n", want: []string{"yaml: line 2: "}},
		{name: "not YAML", file: "drain: [\n", want: []string{"yaml: line"}},
		{name: "duration", env: []string{"REALTIME_DRAIN=5"}, want: []string{`REALTIME_DRAIN: "5" is not a duration; write it as 25s`}},
		{name: "negative duration", flag: map[string]string{"ping_interval": "-1s"}, want: []string{"--ping-interval", "out of range; use 0s to 24h0m0s"}},
		{name: "size", env: []string{"REALTIME_MESSAGE_SIZE=64KB"}, want: []string{"REALTIME_MESSAGE_SIZE", "64KiB"}},
		{name: "size of nothing", env: []string{"REALTIME_BACKLOG=0"}, want: []string{"REALTIME_BACKLOG", "out of range"}},
		{name: "size above its most", env: []string{"REALTIME_HEADER_SIZE=2MiB"}, want: []string{"REALTIME_HEADER_SIZE", "use 8KiB to 1MiB"}},
		{name: "size below its least", env: []string{"REALTIME_HEADER_SIZE=4KiB"}, want: []string{"REALTIME_HEADER_SIZE", "use 8KiB to 1MiB"}},
		{name: "size too large", env: []string{"REALTIME_BACKLOG=9000GiB"}, want: []string{"REALTIME_BACKLOG", "out of range"}},
		{name: "number", env: []string{"REALTIME_TOPICS_PER_CONNECTION=many"}, want: []string{"REALTIME_TOPICS_PER_CONNECTION", "whole number of 1 or more"}},
		{name: "rate", env: []string{"REALTIME_MESSAGE_RATE=NaN"}, want: []string{"REALTIME_MESSAGE_RATE", "number of 0 or more"}},
		{name: "toggle", env: []string{"REALTIME_DEV=maybe"}, want: []string{"REALTIME_DEV", "neither true nor false"}},
		{name: "level", env: []string{"REALTIME_LOG_LEVEL=loud"}, want: []string{"REALTIME_LOG_LEVEL", "debug, info, warn or error"}},
		{name: "format", flag: map[string]string{"log_format": "xml"}, want: []string{"--log-format", "auto, text, logfmt or json"}},
		{name: "address", env: []string{"REALTIME_LISTEN=8080"}, want: []string{"REALTIME_LISTEN", "host:port"}},
		{name: "port", env: []string{"REALTIME_LISTEN=127.0.0.1:http"}, want: []string{"REALTIME_LISTEN", "no port from 0 to 65535"}},
		{name: "public listener off", env: []string{"REALTIME_LISTEN=off"}, want: []string{"REALTIME_LISTEN", "host:port"}},
		{name: "several", env: []string{"REALTIME_DRAIN=x", "REALTIME_DEV=x", "REALTIME_X=x"}, want: []string{"3 problems", "REALTIME_DRAIN", "REALTIME_DEV", "REALTIME_X"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			from := Sources{Environ: test.env, Flags: test.flag}
			if test.file != "" {
				from.File = writeFile(t, test.file)
			}
			_, err := Load(from)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("load: %v, want Problems", err)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	_, err := Load(Sources{File: filepath.Join(t.TempDir(), "missing.yaml")})
	if err == nil || !strings.Contains(err.Error(), "missing.yaml: no such file") {
		t.Errorf("load: %v", err)
	}
	_, err = Load(Sources{File: "/dev/zero"})
	if err == nil || !strings.Contains(err.Error(), "longer than 1048576 bytes") {
		t.Errorf("load of an endless file: %v", err)
	}
}

func TestVariablesThatAreNoSettings(t *testing.T) {
	t.Parallel()
	mustLoad(t, Sources{Environ: []string{
		"REALTIME_API_URL=http://127.0.0.1:1", "REALTIME_URL=ws://127.0.0.1:1/ws", "REALTIME_TOKEN=a.b.c",
		"REALTIME_DRAIN=", "REALTIME_NOTHING=", "XREALTIME_X=1", "REALTIME",
		"REALTIME_SERVICE_HOST=10.0.0.1", "REALTIME_SERVICE_PORT=80", "REALTIME_SERVICE_PORT_HTTP=80",
		"REALTIME_PORT=tcp://10.0.0.1:80", "REALTIME_PORT_80_TCP=tcp://10.0.0.1:80", "REALTIME_PORT_80_TCP_ADDR=10.0.0.1",
		"REALTIME_REDIS_SERVICE_HOST=10.0.0.2", "REALTIME_REDIS_PORT=tcp://10.0.0.2:6379", "REALTIME_REDIS_PORT_6379_TCP_PROTO=tcp",
	}})
	if _, err := Load(Sources{Environ: []string{"REALTIME_PORT=8080"}}); err == nil {
		t.Error("REALTIME_PORT=8080 is taken for one of Kubernetes' variables")
	}
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"", "listen: :1\n", "drain: 1s\ndrain: 2s", "a: &a [*a]", "? [a]\n: b", "!!binary x: y", "---\n...\n---", "# only a comment",
		"required_roles: [a, b]\napi_key: [k1, k2]\n", "<<: {listen: :1}", "\xff", "{listen: :1, dev: true}", "null",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, problems := loadText(string(data))
		if len(problems) > 0 {
			return
		}
		// The file says all of it, once.
		given := 0
		for _, origin := range c.origins {
			if origin == "file" {
				given++
			}
		}
		var plain map[string]any
		if err := yaml.Unmarshal(data, &plain); err != nil || len(plain) != given {
			t.Errorf("%q: %d settings are taken, and %d given: %v", data, given, len(plain), err)
		}
		// What was taken can be printed, and taken again, with the same result.
		for _, s := range settings {
			if s.secret() {
				continue
			}
			again := new(Config)
			printed := s.field(c).String()
			if err := s.field(again).set(printed); err != nil && printed != "" {
				t.Errorf("%s: printed as %q, which is refused: %v", s.name, printed, err)
			}
			if reprinted := s.field(again).String(); reprinted != printed && printed != "" {
				t.Errorf("%s: printed as %q, read and printed as %q", s.name, printed, reprinted)
			}
		}
	})
}
