package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// echo answers with the call itself, as a problem, so that a test sees it.
func echo(t *testing.T) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprintf(w, `{"code":"overloaded","detail":%q}`, fmt.Sprintf("%s %s %s", r.Method, r.RequestURI, body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestCalls is what each command asks of the API, and how it shows a problem.
func TestCalls(t *testing.T) {
	t.Parallel()
	url := echo(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"connections"}, `GET /v1/connections?limit=1000 `},
		{[]string{"connections", "--user=a&b", "--role=r", "--topic=t"}, `GET /v1/connections?limit=1000&role=r&topic=t&user=a%26b `},
		{[]string{"connections", "--user="}, `GET /v1/connections?limit=1000&user= `},
		{[]string{"topics", "--prefix=order:"}, `GET /v1/topics?limit=1000&prefix=order%3A `},
		{[]string{"subscribe", "user", "u1", "--topic=a/b"}, `PUT /v1/users/u1/topics/a%2Fb `},
		{[]string{"subscribe", "everyone", "--topic=a,b"}, `PUT /v1/everyone/topics/a%2Cb `},
		{[]string{"unsubscribe", "topic", "x", "--topic=.."}, `DELETE /v1/topics/x/topics/%2E%2E `},
		{[]string{"unsubscribe", "connection", "c1", "--all"}, `DELETE /v1/connections/c1/topics `},
		{[]string{"disconnect", "user", "u1"}, `DELETE /v1/users/u1/connections {}`},
		{[]string{"disconnect", "connection", "c1", "--code=0"}, `DELETE /v1/connections/c1 {"code":0}`},
		{[]string{"disconnect", "everyone", "--code=1012", "--reason=bye"}, `DELETE /v1/everyone/connections {"code":1012,"reason":"bye"}`},
		{[]string{"revoke", "user", "u1"}, `POST /v1/revocations {"user":"u1"}`},
		{[]string{"revoke", "token", "a.b", "--until=2099-01-02T03:04:05Z", "--reason=r"}, `POST /v1/revocations {"reason":"r","tokenId":"a.b","until":"2099-01-02T03:04:05Z"}`},
		{[]string{"revoke", "connection", "c1"}, `POST /v1/revocations {"connection":"c1"}`},
	} {
		code, stdout, stderr := run(t, []string{"REALTIME_API_KEY=" + testKey, "REALTIME_API_URL=" + url}, "", test.args...)
		want := fmt.Sprintf("boundary-realtime: %s: the server answered 503 Service Unavailable: %s [overloaded]; try again in 7 s\n", test.args[0], test.want)
		if code != 1 || stderr != want || strings.Contains(stdout, "{") {
			t.Errorf("%q: %d %q %q, want %q", test.args, code, stdout, stderr, want)
		}
	}
}

func TestCallsRefuse(t *testing.T) {
	t.Parallel()
	url := echo(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"disconnect"}, "<to>"},
		{[]string{"send"}, "boundary-realtime: missing: <to> (see --help"},
		{[]string{"send", "user", "u1", "--type"}, "--type needs a value"},
		{[]string{"tail", "--for"}, "--for needs a value"},
		{[]string{"tail", "--for=soon"}, `--for: "soon" is not a duration; write it as 25s`},
		{[]string{"tail", "--count=x"}, `--count: "x" is not a whole number`},
		{[]string{"disconnect", "user", "u1", "--code=99999999999999999999"}, `--code: "99999999999999999999" is not a whole number, or too large`},
		{[]string{"token", "mint", "--sub=u1", "--claim=x"}, `--claim: "x" is not NAME=JSON`},
		{[]string{"nonsense"}, "unexpected argument nonsense"},
		{[]string{"disconnect", "users", "u1"}, "must be one of user, role, topic, connection and everyone"},
		{[]string{"disconnect", "user"}, "give the name of the user"},
		{[]string{"disconnect", "user", ""}, "give the name of the user"},
		{[]string{"disconnect", "everyone", "u1"}, `everyone has no name; leave out "u1"`},
		{[]string{"disconnect", "user", "u1", "--code=x"}, "--code"},
		{[]string{"subscribe", "user", "u1"}, "--topic"},
		{[]string{"subscribe", "user", "u1", "--topic="}, "say which --topic"},
		{[]string{"unsubscribe", "user", "u1"}, "say which --topic; unsubscribe takes --all, too"},
		{[]string{"unsubscribe", "user", "u1", "--topic="}, "say which --topic"},
		{[]string{"unsubscribe", "user", "u1", "--topic=a", "--all"}, "--topic and --all can't be used together"},
		{[]string{"revoke", "role", "r"}, "must be one of"},
		{[]string{"revoke", "user"}, "<id>"},
		{[]string{"revoke", "token", mint(t, "u1", nil)}, "takes the token's id, its claim jti"},
		{[]string{"token", "mint", "--dev", "--sub=u1", "--email=a@b"}, "--dev allows only --sub, --role and --topic"},
		{[]string{"token", "mint", "--dev", "--sub="}, "--sub is empty"},
		{[]string{"tail", "--count=0"}, "--count must be 1 or more"},
	} {
		code, stdout, stderr := run(t, []string{"REALTIME_API_KEY=" + testKey, "REALTIME_TOKEN=x", "REALTIME_API_URL=" + url}, "", test.args...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, test.want) || strings.Contains(stderr, "eyJ") {
			t.Errorf("%q: %d %q %q, want 2 and %q", test.args, code, stdout, stderr, test.want)
		}
	}
	for _, args := range [][]string{{"topics"}, {"token", "mint", "--dev", "--sub=u1"}} {
		code, _, stderr := run(t, nil, "", append(args, "--api=http://127.0.0.1:1")...)
		if code != 1 || !strings.Contains(stderr, "no answer from http://127.0.0.1:1") || !strings.Contains(stderr, "is the server running?") {
			t.Errorf("%q without a server: %d %q", args, code, stderr)
		}
	}
	if p := start(t, nil, "help", "send"); p.exit() != 0 || !strings.Contains(p.stdout.String(), "Usage: boundary-realtime send") {
		t.Errorf("help send: %q %q", p.stdout.String(), p.stderr.String())
	}
	code, _, stderr := run(t, nil, "", "token", "mint", "--dev", "--sub=u1", "--api="+url)
	if code != 1 || !strings.Contains(stderr, "the server is not in dev mode") || !strings.Contains(stderr, "serve --dev") {
		t.Errorf("without dev mode: %d %q", code, stderr)
	}
	_, public, _ := serve(t, "REALTIME_DEV=1")
	code, _, stderr = run(t, nil, "", "token", "mint", "--dev", "--sub=u1", "--role=", "--api="+public)
	if code != 1 || !strings.Contains(stderr, "400 Bad Request") || strings.Contains(stderr, "dev mode") {
		t.Errorf("a role without a name: %d %q", code, stderr)
	}
	code, _, stderr = run(t, nil, "", "topics", "--api=http://example.invalid")
	if code != 2 || !strings.Contains(stderr, "no API key: set REALTIME_API_KEY") {
		t.Errorf("another machine without a key: %d %q", code, stderr)
	}
}

var connected = regexp.MustCompile(`connected as (\S+), connection (\S+)`)

// TestCommandsOfADevServer walks through all commands with nothing configured.
func TestCommandsOfADevServer(t *testing.T) {
	t.Parallel()
	_, public, _ := serve(t, "REALTIME_DEV=1")
	env := []string{"REALTIME_API_URL=" + public}
	must := func(want string, args ...string) string {
		t.Helper()
		code, stdout, stderr := run(t, env, "", args...)
		if code != 0 || !regexp.MustCompile(want).MatchString(stdout) {
			t.Fatalf("%q: %d %q %q, want %q", args, code, stdout, stderr, want)
		}
		return strings.TrimSpace(stdout)
	}
	token := must(`^ey\S+\n$`, "token", "mint", "--dev", "--sub=alice", "--role=admin", "--topic=order:*")
	tail := start(t, []string{"REALTIME_TOKEN=" + token, "REALTIME_URL=ws" + strings.TrimPrefix(public, "http") + "/ws"}, "tail", "--topic=order:1", "--count=2")
	id := tail.stderr.wait(t, connected)[2]
	tail.stderr.wait(t, regexp.MustCompile("subscribed to order:1"))

	must(`^ID +USER +ROLES +TOPICS +SINCE\n`+id+` +alice +admin +order:1 +20\S+Z\n$`, "connections")
	must(`^{"id":"`+id+`",.*}\n$`, "connections", "--json", "--role=admin", "--topic=order:1", "--user=alice")
	must(`^ID .*\n$`, "connections", "--user=bob")
	must(`^TOPIC +SUBSCRIBERS\norder:1 +1\n$`, "topics")
	must(`^{"topic":"order:1","subscribers":1}\n$`, "topics", "--prefix=ord", "--json")
	must(`^subscribed 1 connection\nsubscribed 1 connection\n$`, "subscribe", "role", "admin", "--topic=a", "--topic=b")
	must(`^{"recipients":1}\n$`, "subscribe", "connection", id, "--topic=c", "--json")
	must(`^unsubscribed 1 connection\n$`, "unsubscribe", "connection", id, "--topic=c")
	must(`^unsubscribed 0 connections\n$`, "unsubscribe", "user", "bob", "--all")
	must(`^{"recipients":1}\n$`, "send", "topic", "a", "--type=one")
	must(`^unsubscribed 1 connection\n$`, "unsubscribe", "everyone", "--all")
	must(`^{"recipients":0}\n$`, "send", "topic", "a", "--type=none")
	must(`^{"recipients":1}\n$`, "send", "everyone", "--type=two")
	if code := tail.exit(); code != 0 {
		t.Errorf("tail --count: exit code %d: %s", code, tail.stderr.String())
	}
	if out := tail.stdout.String(); strings.Count(out, "\n") != 2 || !strings.Contains(out, `"type":"one"`) || !strings.Contains(out, `"type":"two"`) {
		t.Errorf("tail --count=2 printed %q", out)
	}

	again := start(t, []string{"REALTIME_TOKEN=" + token, "REALTIME_URL=ws" + strings.TrimPrefix(public, "http") + "/ws"}, "tail")
	again.stderr.wait(t, connected)
	must(`^{"disconnected":1}\n$`, "disconnect", "user", "alice", "--code=4400", "--json")
	again.stderr.wait(t, regexp.MustCompile("4400.*reconnecting"))
	must(`^revoked; disconnected [01] connections?\n$`, "revoke", "user", "alice", "--reason=lost")
	if code := again.exit(); code != 1 {
		t.Errorf("tail after a revocation: exit code %d: %s", code, again.stderr.String())
	}
	if code, _, stderr := run(t, env, "", "disconnect", "connection", id); code != 1 || !strings.Contains(stderr, "there is no connection with this id [unknown_connection]") {
		t.Errorf("disconnect of a connection that has gone: %d %q", code, stderr)
	}
}

// Commands say that there may be more where a node did not reply.
func TestMissingNodes(t *testing.T) {
	t.Parallel()
	answer := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	t.Cleanup(server.Close)
	for _, test := range []struct{ command, answer, want string }{
		{"subscribe user u1 --topic=t", `{"recipients":2,"missing":["a","b"]}`, "subscribed at least 2 connections; no reply from node a, b\n"},
		{"disconnect user u1", `{"disconnected":1,"missing":["a"]}`, "disconnected at least 1 connection; no reply from node a\n"},
		{"revoke user u1", `{"disconnected":0,"missing":["a"]}`, "revoked; disconnected at least 0 connections; no reply from node a\n"},
		{"disconnect user u1", `{"disconnected":1}`, "disconnected 1 connection\n"},
		{"subscribe user u1 --topic=t --json", `{"recipients":2,"missing":["a"]}`, `{"recipients":2,"missing":["a"]}` + "\n"},
		{"send user u1 --type=t", `{"recipients":2,"missing":["a"]}`, `{"recipients":2,"missing":["a"]}` + "\n"},
	} {
		answer = test.answer
		code, stdout, stderr := run(t, []string{"REALTIME_API_KEY=" + testKey, "REALTIME_API_URL=" + server.URL}, "", strings.Fields(test.command)...)
		if code != 0 || stdout != test.want {
			t.Errorf("%s: %d %q %q, want %q", test.command, code, stdout, stderr, test.want)
		}
	}
}
