package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boundary-app.org/realtime/auth"
)

func TestTokenMint(t *testing.T) {
	t.Parallel()
	env := []string{
		"REALTIME_JWT_HMAC_SECRET=" + testSecret, "REALTIME_JWT_ISSUER=me", "REALTIME_JWT_AUDIENCE=you",
		"REALTIME_JWT_CLAIM_ROLES=groups",
	}
	before := time.Now().Unix()
	code, stdout, stderr := run(t, env, "", "token", "mint", "--sub=u1", "--role=a,b", "--role", "c", "--permission=p", "--topic=room:*",
		"--email=a@mail.example", "--expires=10m", "--claim", `plan="gold;x"`, "--claim", "level=3")
	if code != 0 {
		t.Fatalf("mint: %d %s", code, stderr)
	}
	verifier, err := auth.New(auth.Options{HMACSecret: []byte(testSecret), Issuer: "me", Audience: "you", Claims: auth.ClaimNames{Roles: "groups"}})
	if err != nil {
		t.Fatal(err)
	}
	id, err := verifier.Verify(t.Context(), strings.TrimSpace(stdout))
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	if life := id.ExpiresAt.Unix() - before; life < 600 || life > 610 {
		t.Errorf("it lives for %d s, want 600", life)
	}
	var claims map[string]any
	if err := json.Unmarshal(id.Claims, &claims); err != nil {
		t.Fatal(err)
	}
	if id.TokenID == "" || claims["jti"] != id.TokenID {
		t.Errorf("its id is %q, jti %v", id.TokenID, claims["jti"])
	}
	for _, name := range []string{"exp", "iat", "jti"} {
		delete(claims, name)
	}
	want := map[string]any{
		"sub": "u1", "groups": []any{"a,b", "c"}, "permissions": []any{"p"}, "topics": []any{"room:*"},
		"email": "a@mail.example", "plan": "gold;x", "level": 3.0, "iss": "me", "aud": "you",
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

func TestTokenMintWithSecretFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(testSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, token, _ := run(t, nil, "", "token", "mint", "--sub=u1", "--secret-file="+file)
	code, stdout, stderr := run(t, []string{"REALTIME_JWT_HMAC_SECRET_FILE=" + file}, token, "token", "inspect", "-")
	if code != 0 || !strings.Contains(stdout, `VERIFIED: the token of the user "u1"`) {
		t.Errorf("inspect: %d %q %q", code, stdout, stderr)
	}
}

func TestTokenMintAlgorithms(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(testSecret, 2)
	for configured, want := range map[string]string{"": "HS256", "HS256": "HS256", "HS384": "HS384", "HS512": "HS512"} {
		env := []string{"REALTIME_JWT_HMAC_SECRET=" + long, "REALTIME_JWT_ALGORITHM=" + configured}
		code, token, stderr := run(t, env, "", "token", "mint", "--sub=u1")
		if code != 0 {
			t.Errorf("%q: mint: %d %s", configured, code, stderr)
			continue
		}
		code, stdout, stderr := run(t, env, token, "token", "inspect")
		if code != 0 || !strings.Contains(stdout, "\nVERIFIED: ") || !strings.Contains(stdout, fmt.Sprintf(`"alg": %q`, want)) {
			t.Errorf("%q: inspect: %d %s %s", configured, code, stdout, stderr)
		}
	}
	// With a key set too, an algorithm for that leaves the secret HS256.
	mixed := []string{"REALTIME_JWT_HMAC_SECRET=" + long, "REALTIME_JWT_ALGORITHM=PS256", "REALTIME_JWKS_URL=https://issuer.invalid/keys"}
	if code, token, stderr := run(t, mixed, "", "token", "mint", "--sub=u1"); code != 0 || strings.Count(token, ".") != 2 {
		t.Errorf("beside a key set: %d %q %s", code, token, stderr)
	}
}

func TestTokenMintRefuses(t *testing.T) {
	t.Parallel()
	secret := []string{"REALTIME_JWT_HMAC_SECRET=" + testSecret}
	for _, test := range []struct {
		name string
		env  []string
		args []string
		code int
		want string
	}{
		{"no secret", nil, []string{"--sub=u1"}, 2, "set REALTIME_JWT_HMAC_SECRET"},
		{"a short secret", []string{"REALTIME_JWT_HMAC_SECRET=short"}, []string{"--sub=u1"}, 1, "5 bytes are too few"},
		{"no user", secret, nil, 2, "--sub"},
		{"a claim that is not JSON", secret, []string{"--sub=u1", "--claim=plan=gold"}, 2, `--claim 'plan="text"'`},
		{"an algorithm for public keys", append(secret, "REALTIME_JWT_ALGORITHM=RS256"), []string{"--sub=u1"}, 2, `jwt_algorithm is "RS256"`},
		{"a secret too short for the algorithm", append(secret, "REALTIME_JWT_ALGORITHM=HS512"), []string{"--sub=u1"}, 1, "too few for HS512"},
		{"a token that has expired", secret, []string{"--sub=u1", "--expires=-1h"}, 1, "the server would refuse this token: "},
		{"a token for no user", secret, []string{"--sub="}, 1, "the server would refuse this token: "},
		{"another issuer", append(secret, "REALTIME_JWT_ISSUER=me"), []string{"--sub=u1", `--claim=iss="you"`}, 1, "the server would refuse this token: "},
		{"the secret as its file", nil, []string{"--sub=u1", "--secret-file=" + testSecret}, 1, "--secret-file: no such file"},
		{"a missing secret file", nil, []string{"--sub=u1", "--secret-file=/nowhere/secret.txt"}, 1, "--secret-file: no such file or directory: /nowhere/secret.txt"},
		{"a pattern with a wildcard inside", secret, []string{"--sub=u1", "--topic=a*b"}, 2, `--topic "a*b" matches no topic`},
		{"a pattern with a wildcard inside, of a server in dev mode", nil, []string{"--sub=u1", "--topic=a*b", "--dev"}, 2, `--topic "a*b" matches no topic`},
		{"a pattern that is no topic", secret, []string{"--sub=u1", "--topic=a::b"}, 2, `empty segment`},
		{"a reserved pattern", secret, []string{"--sub=u1", "--topic=$a*"}, 2, `reserved`},
		{"a bad duration", secret, []string{"--sub=u1", "--expires=soon"}, 2, "--expires"},
		{"the secret as a flag", secret, []string{"--sub=u1", "--secret=hush"}, 2, "unknown flag --secret"},
	} {
		code, stdout, stderr := run(t, test.env, "", append([]string{"token", "mint"}, test.args...)...)
		if code != test.code || stdout != "" || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: %d %q %q, want %d and %q", test.name, code, stdout, stderr, test.code, test.want)
		}
		if strings.Contains(stderr, testSecret) {
			t.Errorf("%s: the secret shows: %s", test.name, stderr)
		}
	}
}

func TestTokenInspect(t *testing.T) {
	t.Parallel()
	secret := "REALTIME_JWT_HMAC_SECRET=" + testSecret
	good := mint(t, "u1", nil)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(good+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	old := mint(t, "u1", map[string]any{"exp": time.Now().Add(-49 * time.Hour).Unix()})
	for _, test := range []struct {
		name  string
		env   []string
		stdin string
		args  []string
		code  int
		want  []string
	}{
		{"without a key", nil, good, nil, 0, []string{`"sub": "u1"`, `"alg": "HS256"`, "expires in 1 hour, at ", "NOT VERIFIED: no key is configured"}},
		{"with the key", []string{secret}, good, nil, 0, []string{`VERIFIED: the token of the user "u1"`}},
		{"from standard input", []string{secret, "REALTIME_TOKEN=x"}, good + "\n", []string{"-"}, 0, []string{"VERIFIED"}},
		{"from a file", []string{secret, "REALTIME_TOKEN=x"}, "", []string{"--token-file=" + file}, 0, []string{"VERIFIED"}},
		{"from two places", []string{secret}, "", []string{"-", "--token-file=" + file}, 2, []string{"either the token or --token-file"}},
		{"as an argument", []string{secret}, "", []string{good}, 0, []string{"VERIFIED"}},
		{"the token as its file", []string{secret}, "", []string{"--token-file=" + good}, 1, []string{"--token-file: "}},
		{"from the environment", []string{secret, "REALTIME_TOKEN=" + good}, "", nil, 0, []string{"VERIFIED"}},
		{"expired", []string{secret}, old, nil, 1, []string{"EXPIRED 2 days ago", "NOT VERIFIED", "expired"}},
		{"with another key", []string{secret + "x"}, good, nil, 1, []string{`"sub": "u1"`, "NOT VERIFIED", "signature"}},
		{"odd rights", []string{secret, "REALTIME_JWT_CLAIM_PERMISSIONS=scope"}, mint(t, "u1", map[string]any{"role": []any{"admin", 3}, "scope": "a b"}), nil, 0, []string{
			"\nroles [\"admin\"]\n", "\npermissions [\"a\",\"b\"]\n", "\ntopics []\n", `"claim":"role","dropped":1,"cause":"must be a string"`,
		}},
		{"without exp", []string{secret}, mint(t, "u1", map[string]any{"exp": nil}), nil, 1, []string{"NOT VERIFIED", "claims_exp: exp is missing"}},
		{"not a token", nil, "x.y", nil, 1, []string{"malformed"}},
		{"nothing", nil, "", nil, 2, []string{"no token"}},
	} {
		code, stdout, stderr := run(t, test.env, test.stdin, append([]string{"token", "inspect"}, test.args...)...)
		if code != test.code {
			t.Errorf("%s: exit code %d, want %d", test.name, code, test.code)
		}
		for _, want := range test.want {
			if !strings.Contains(stdout+stderr, want) {
				t.Errorf("%s: %q %q does not say %q", test.name, stdout, stderr, want)
			}
		}
		if strings.Contains(stderr, good) {
			t.Errorf("%s: the token shows: %s", test.name, stderr)
		}
	}
}

func TestExpiryInWords(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for claims, want := range map[string]string{
		`{"exp":1800000001}`: "expires in 1 second, at 2027-01-15T08:00:01Z",
		`{"exp":1800000045}`: "expires in 45 seconds, at 2027-01-15T08:00:45Z",
		`{"exp":1800002700}`: "expires in 45 minutes, at 2027-01-15T08:45:00Z",
		`{"exp":1800003599}`: "expires in 1 hour, at 2027-01-15T08:59:59Z",
		`{"exp":1800005400}`: "expires in 2 hours, at 2027-01-15T09:30:00Z",
		`{"exp":1800000000}`: "EXPIRED 0 seconds ago, at 2027-01-15T08:00:00Z",
		`{"exp":1799999940}`: "EXPIRED 1 minute ago, at 2027-01-15T07:59:00Z",
		`{"exp":1799000000}`: "EXPIRED 12 days ago, at 2027-01-03T18:13:20Z",
		`{"exp":"soon"}`:     "no expiry: servers refuse a token without the claim exp",
		`{}`:                 "no expiry: servers refuse a token without the claim exp",
	} {
		if got := expiry(json.RawMessage(claims), now); got != want {
			t.Errorf("%s: %q, want %q", claims, got, want)
		}
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Header.Get("Authorization") != "Bearer "+testKey:
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"title":"Unauthorized","code":"invalid_key","detail":"the key is wrong","status":401}`)
		case r.URL.Path == "/v1/users/moved/messages":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case r.URL.Path == "/v1/users/broken/messages":
			http.Error(w, "<html>", http.StatusBadGateway)
		default:
			_, _ = io.WriteString(w, r.URL.EscapedPath()+" "+string(body))
		}
	}))
	defer server.Close()
	for _, test := range []struct {
		key  string
		args []string
		code int
		want string // the whole of standard output, or a part of standard error
	}{
		{testKey, []string{"user", "u1", "--type=t"}, 0, `/v1/users/u1/messages {"type":"t"}`},
		{testKey + ",old", []string{"role", "a/b", "--type=t", "--payload=1"}, 0, `/v1/roles/a%2Fb/messages {"type":"t","payload":1}`},
		{testKey, []string{"topic", "..", "--type=t", `--payload={"a":[]}`}, 0, `/v1/topics/%2E%2E/messages {"type":"t","payload":{"a":[]}}`},
		{testKey, []string{"connection", "é ?", `--json={"type":"x"}`}, 0, `/v1/connections/%C3%A9%20%3F/messages {"type":"x"}`},
		{testKey, []string{"everyone", "--json=-"}, 0, `/v1/everyone/messages {"from":"input"}`},
		{testKey, []string{"everyone", "-"}, 0, `/v1/everyone/messages {"from":"input"}`},
		{testKey, []string{"broadcast", "-"}, 0, `/v1/everyone/messages {"from":"input"}`},
		{testKey, []string{"user", "u1", "-"}, 0, `/v1/users/u1/messages {"from":"input"}`},

		{"wrong", []string{"everyone", "--type=t"}, 1, "401 Unauthorized: the key is wrong [invalid_key]"},
		{testKey, []string{"user", "moved", "--type=t"}, 1, "307 Temporary Redirect: it redirects to another URL"},
		{testKey, []string{"user", "broken", "--type=t"}, 1, "502 Bad Gateway"},
		{"", []string{"everyone", "--type=t"}, 2, "set REALTIME_API_KEY"},
		{testKey, []string{"user", "--type=t"}, 2, "give the name of the user"},
		{testKey, []string{"everyone", "u1", "--type=t"}, 2, "everyone has no name"},
		{testKey, []string{"user", "u1"}, 2, "give --type"},
		{testKey, []string{"user", "u1", "hello"}, 2, `"hello" is an extra argument`},
		{testKey, []string{"user", "u1", "--type=t", "--payload=hello"}, 2, "--payload is not JSON"},
		{testKey, []string{"user", "u1", "--type=t", "--json={}"}, 2, "give either"},
		{testKey, []string{"users", "u1", "--type=t"}, 2, "must be one of"},
	} {
		code, stdout, stderr := run(t, []string{"REALTIME_API_KEY=" + test.key}, `{"from":"input"}`, append([]string{"send", "--api=" + server.URL + "/"}, test.args...)...)
		if code != test.code {
			t.Errorf("%v: exit code %d (%s), want %d", test.args, code, stderr, test.code)
		}
		if code == 0 && stdout != test.want+"\n" || code != 0 && !strings.Contains(stderr, test.want) {
			t.Errorf("%v: %q %q, want %q", test.args, stdout, stderr, test.want)
		}
		if strings.Contains(stderr, testKey) {
			t.Errorf("%v: the key shows: %s", test.args, stderr)
		}
	}
}

func TestSendRefusesAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"nowhere": "not the URL of a server", "127.0.0.1:8080": "not the URL of a server", "ws://127.0.0.1:1": "not the URL of a server",
		"http://": "not the URL of a server", "http://:80": "not the URL of a server", "http://%zz": "not the URL of a server",
		"http://me:hush@127.0.0.1:1": "a user name, a query or a fragment", "http://127.0.0.1:1/?hush": "a user name, a query or a fragment",
		"http://127.0.0.1:1#hush": "a user name, a query or a fragment",
	} {
		code, stdout, stderr := run(t, []string{"REALTIME_API_KEY=k", "REALTIME_API_URL=" + address}, "", "send", "everyone", "--type=t")
		if code != 2 || stdout != "" || !strings.Contains(stderr, want) || !strings.Contains(stderr, "write it as "+defaultAPI) {
			t.Errorf("%s: %d %q %q, want 2 and %q", address, code, stdout, stderr, want)
		}
		if strings.Contains(stderr, "hush") {
			t.Errorf("%s: it is quoted: %s", address, stderr)
		}
	}
}

func TestTailRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		env  []string
		args []string
		want string
	}{
		{nil, nil, "no token: set REALTIME_TOKEN"},
		{[]string{"REALTIME_TOKEN=x"}, []string{"--url=http://127.0.0.1:1/ws"}, "write it as ws://127.0.0.1:8080/ws"},
		{[]string{"REALTIME_TOKEN=x", "REALTIME_URL=nowhere"}, nil, "write it as ws://127.0.0.1:8080/ws"},
		{[]string{"REALTIME_TOKN=x"}, nil, "did you mean REALTIME_TOKEN?"},
	} {
		code, _, stderr := run(t, test.env, "", append([]string{"tail"}, test.args...)...)
		if code != 2 || !strings.Contains(stderr, test.want) {
			t.Errorf("%v %v: %d %q, want 2 and %q", test.env, test.args, code, stderr, test.want)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing")
	if code, _, stderr := run(t, nil, "", "tail", "--token-file="+missing); code != 1 || !strings.Contains(stderr, "--token-file: no such file") {
		t.Errorf("a missing token file: %d %q", code, stderr)
	}
}

func TestCheckConfig(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, append(production(), "REALTIME_LISTEN=127.0.0.1:1"), "", "check-config", "--listen=127.0.0.1:2", "--compression")
	if code != 0 || stderr != "" {
		t.Errorf("check-config: %d %s", code, stderr)
	}
	for _, want := range []string{`listen: "127.0.0.1:2" `, "# flag", `api_key: "[redacted]"`, `compression: "true"`, `drain: "30s"`} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the output lacks %q:\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, testSecret) || strings.Contains(stdout, testKey) {
		t.Errorf("the output shows a secret:\n%s", stdout)
	}
	code, stdout, stderr = run(t, []string{"REALTIME_DRAIN=x"}, "", "check-config", "--backlog=1KiB")
	if code != 2 || stdout != "" || !strings.Contains(stderr, "3 problems") {
		t.Errorf("with problems: %d %q %q", code, stdout, stderr)
	}
	if code, stdout, _ = run(t, nil, "", "check-config", "--reference"); code != 0 || !strings.Contains(stdout, "#ping_interval: 25s\n") {
		t.Errorf("the reference: %d %s", code, stdout)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	code, stdout, _ := run(t, nil, "", "version")
	if code != 0 || !regexp.MustCompile(`^boundary-realtime \S+ \(go\S+, \w+/\w+.*\)\n$`).MatchString(stdout) {
		t.Errorf("version: %d %q", code, stdout)
	}
}

// TestGoInstall: go install path@version refuses a module that replaces or excludes
// others.
func TestGoInstall(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`(?m)^(replace|exclude)\b.*`).Find(text); found != nil {
		t.Errorf("go.mod has %q", found)
	}
}

func TestVersionOfTheLinker(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "boundary-realtime")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-X main.version=v1.2.3-test", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), program, "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "boundary-realtime v1.2.3-test (") {
		t.Errorf("version: %q %v", out, err)
	}
}
