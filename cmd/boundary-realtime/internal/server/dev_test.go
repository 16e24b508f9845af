package server

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// session asks the dev server for a token.
func (r *running) session(body string) string {
	r.t.Helper()
	response, text := r.do(request(r.t, "POST", r.publicURL()+"/dev/session", body, "Content-Type", "application/json"))
	var answer struct{ Token string }
	if err := json.Unmarshal([]byte(text), &answer); err != nil || response.StatusCode != 200 {
		r.t.Fatalf("session %s: %d %s", body, response.StatusCode, text)
	}
	return answer.Token
}

// In dev mode the token decides about topics, as in production; that of a session
// that names none covers all.
func TestDevTopics(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_DEV=1", "REALTIME_JWT_CLAIM_TOPICS=channels")
	for _, test := range []struct {
		session, topic string
		want           string // the error code
	}{
		{`{"user":"bob"}`, "order:1", ""},
		{`{"user":"bob","topics":["room:*","order:1"]}`, "order:1", ""},
		{`{"user":"bob","topics":["room:*","order:1"]}`, "room:lobby", ""},
		{`{"user":"bob","topics":["room:*","order:1"]}`, "order:2", "forbidden"},
		{`{"user":"bob","topics":[]}`, "order:1", "forbidden"},
	} {
		conn, _ := connect(t, s.publicURL(), s.session(test.session), s.publicURL())
		if got := subscribe(t, conn, test.topic); got != test.want {
			t.Errorf("%s: subscribing to %s: %q, want %q", test.session, test.topic, got, test.want)
		}
		_ = conn.CloseNow()
	}
}

// subscribe returns the code of the error in the reply.
func subscribe(t *testing.T, conn *websocket.Conn, topic string) string {
	t.Helper()
	command := fmt.Sprintf(`{"action":"subscribe","topic":%q,"ref":1}`, topic)
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(command)); err != nil {
		t.Fatal(err)
	}
	_, data, err := conn.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var reply struct {
		OK    bool
		Error struct{ Code string }
	}
	if err := json.Unmarshal(data, &reply); err != nil || reply.OK != (reply.Error.Code == "") {
		t.Fatalf("the reply is %s (%v)", data, err)
	}
	return reply.Error.Code
}

// Pages of this machine may connect to a dev server with a token; only its own
// page is given one.
func TestDevOrigins(t *testing.T) {
	t.Parallel()
	s := run(t, "REALTIME_DEV=1", "REALTIME_ALLOWED_ORIGINS=https://listed.example")
	production := run(t, "REALTIME_JWT_HMAC_SECRET="+secret)
	_, port, _ := net.SplitHostPort(s.public.listener.Addr().String())
	token := s.session(`{"user":"bob"}`)
	for _, test := range []struct {
		name    string
		origins []string
		want    int // of the WebSocket's handshake
		session int
	}{
		{"no page", nil, 101, 200},
		{"the server's page", []string{s.publicURL()}, 101, 200},
		{"the server's page by another name", []string{"http://localhost:" + port}, 101, 403},
		{"a page of another port", []string{"http://localhost:5173"}, 101, 403},
		{"a page of port 80", []string{"http://localhost"}, 101, 403},
		{"a page by address", []string{"http://127.0.0.1:3000"}, 101, 403},
		{"a page by another address", []string{"http://127.9.9.9:3000"}, 101, 403},
		{"a page by IPv6", []string{"http://[::1]:3000"}, 101, 403},
		{"a page over TLS", []string{"https://localhost:5173"}, 101, 403},
		{"a listed page", []string{"https://listed.example"}, 101, 403},
		{"a page of elsewhere", []string{"https://evil.example"}, 403, 403},
		{"localhost before", []string{"http://localhost.evil.example"}, 403, 403},
		{"localhost behind", []string{"http://evil-localhost"}, 403, 403},
		{"an address before", []string{"http://127.0.0.1.evil.example:3000"}, 403, 403},
		{"user info", []string{"http://localhost@evil.example"}, 403, 403},
		{"user info of this machine", []string{"http://a@localhost:3000"}, 403, 403},
		{"a path", []string{"http://localhost:3000/"}, 403, 403},
		{"a query", []string{"http://localhost:3000?"}, 403, 403},
		{"a fragment", []string{"http://localhost:3000#"}, 403, 403},
		{"another scheme", []string{"ftp://localhost:3000"}, 403, 403},
		{"no scheme", []string{"localhost:3000"}, 403, 403},
		{"every machine", []string{"http://0.0.0.0:3000"}, 403, 403},
		{"a file", []string{"null"}, 403, 403},
		{"two pages", []string{"http://localhost:5173", "http://localhost:5173"}, 403, 403},
		{"a page of elsewhere beside the server's", []string{s.publicURL(), "https://evil.example"}, 403, 403},
		{"a page of elsewhere beside", []string{"http://localhost:5173", "https://evil.example"}, 403, 403},
	} {
		if got := handshake(t, s, token, test.origins); got != test.want {
			t.Errorf("%s connects: %d, want %d", test.name, got, test.want)
		}
		r := request(t, "POST", s.publicURL()+"/dev/session", "{}", "Content-Type", "application/json")
		r.Header["Origin"] = test.origins
		if response, _ := s.do(r); response.StatusCode != test.session {
			t.Errorf("%s asks for a session: %d, want %d", test.name, response.StatusCode, test.session)
		}
		own := len(test.origins) == 0
		if got := handshake(t, production, "x", test.origins); got != 403 && !own {
			t.Errorf("%s connects in production: %d, want 403", test.name, got)
		}
	}
}

// handshake returns the status that a page of these origins gets.
func handshake(t *testing.T, s *running, token string, origins []string) int {
	t.Helper()
	r := request(t, "GET", s.publicURL()+"/ws", "", "Connection", "Upgrade", "Upgrade", "websocket",
		"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==", "Authorization", "Bearer "+token)
	r.Header["Origin"] = origins
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// What the handler behind gets is another request than the server's.
func TestLoopbackPagesLeavesTheRequest(t *testing.T) {
	t.Parallel()
	r := request(t, "GET", "http://127.0.0.1/ws", "", "Origin", "http://localhost:5173", "X-Other", "kept")
	var behind *http.Request
	loopbackPages(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { behind = r })).ServeHTTP(nil, r)
	if behind.Header.Get("Origin") != "" || behind.Header.Get("X-Other") != "kept" {
		t.Errorf("the handler sees %v", behind.Header)
	}
	if !strings.HasSuffix(r.Header.Get("Origin"), ":5173") {
		t.Errorf("the request has become %v", r.Header)
	}
}
