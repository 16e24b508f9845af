package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/internal/strictjson"
	"boundary-app.org/realtime/wire"
)

// caller makes calls of one API, and holds the answers against the document.
type caller struct{ calls http.Handler }

func newCaller(s *server) caller {
	return caller{api.New(s.Service, api.Options{Keys: []string{key}})}
}

func (c caller) call(t testing.TB, r *http.Request) answer {
	t.Helper()
	r.Header.Set("Authorization", "Bearer "+key)
	w := httptest.NewRecorder()
	c.calls.ServeHTTP(w, r)
	return readAnswer(t, r, w.Result())
}

// FuzzCall makes any call: the answer is one that the document knows, and
// never a failure of the server's.
func FuzzCall(f *testing.F) {
	s := start(f, realtime.Options{}, api.Options{})
	calls := newCaller(s)
	for i, operation := range api.Routes(s.Service) {
		_, path, _ := strings.Cut(operation, " ")
		for name, value := range map[string]string{"{user}": "u1", "{role}": "%2e%2E", "{id}": "a%2Fb", "{topic}": "order:1", "{source}": "order:2"} {
			path = strings.ReplaceAll(path, name, value)
		}
		f.Add(uint8(i), path, "limit=1&after=x", message)
	}
	for i, path := range []string{"/v1/users//messages", "/v1/topics/%00/messages", "/v1/connections/%", "/v1/../v1/topics", "/v1/topics/%2F/subscribers", "//", "/v1/roles/a;b/messages"} {
		f.Add(uint8(i), path, "a=%zz&a=1;b", `{"code":1}`)
	}
	methods := []string{"GET", "POST", "PUT", "DELETE", "PATCH"}
	f.Fuzz(func(t *testing.T, method uint8, path, query, body string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || !strings.HasPrefix(path, "/") {
			return // no server hands such a path on
		}
		u.RawQuery = query
		r := httptest.NewRequest(methods[int(method)%len(methods)], "/", strings.NewReader(body))
		r.URL = u
		got := calls.call(t, r)
		if got.status >= 500 && got.status != http.StatusNotImplemented {
			t.Fatalf("%s %s?%s with %q: %d %s", r.Method, path, query, body, got.status, got.text)
		}
		if got.status >= 400 && got.header.Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%s %s?%s with %q: %d is no problem", r.Method, path, query, body, got.status)
		}
	})
}

// FuzzTopicPath: a name in a path is one topic's and no other's, however it is
// encoded.
func FuzzTopicPath(f *testing.F) {
	f.Add("order:1", "order:1")
	f.Add("a/b", "a%2Fb")
	f.Add(".", "..")
	f.Add("ä b", "a\u0308 b")
	f.Add("%2F", "/x")
	f.Add("a+b", "a b")
	f.Add("A", "a")
	s := start(f, realtime.Options{}, api.Options{})
	calls := newCaller(s)
	f.Fuzz(func(t *testing.T, heard, sent string) {
		if wire.CheckTopic(heard) != nil || wire.CheckTopic(sent) != nil || sent == "/" {
			return
		}
		stop, err := s.OnTopic(heard, func(context.Context, realtime.Message) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
		want := "0"
		if heard == sent {
			want = "1"
		}
		for _, encoded := range []string{allEncoded(sent), strings.ReplaceAll(url.PathEscape(sent), ".", "%2E")} {
			r := httptest.NewRequest(http.MethodPost, "/v1/topics/"+encoded+"/messages", strings.NewReader(message))
			calls.call(t, r).wantText(t, http.StatusOK, `{"recipients":`+want+`}`)
		}
	})
}

func allEncoded(name string) string {
	var b strings.Builder
	for i := range len(name) {
		fmt.Fprintf(&b, "%%%02X", name[i])
	}
	return b.String()
}

// FuzzDisconnect holds the answer to a close order against a slow reading of it.
func FuzzDisconnect(f *testing.F) {
	for _, seed := range []string{
		``, " \n", `{}`, `{"code":4503,"reason":"bye"}`, `{"code":1005}`, `{"code":4e3}`, `{"code":null}`, `{"Code":4000}`, `{"reason":1}`,
		`{"code":4000,"code":4000}`, `{"reason":"` + strings.Repeat("é", 62) + `"}`, "{\"reason\":\"\xff\"}", `{"code":-0}`, `{"code":9999999999999999999}`, `[]`, `{}{}`,
	} {
		f.Add(seed)
	}
	s := start(f, realtime.Options{}, api.Options{})
	calls := newCaller(s)
	f.Fuzz(func(t *testing.T, body string) {
		want := http.StatusBadRequest
		if isCloseOrder(body) {
			want = http.StatusOK
		}
		r := httptest.NewRequest(http.MethodDelete, "/v1/users/nobody/connections", strings.NewReader(body))
		got := calls.call(t, r)
		if got.status != http.StatusRequestEntityTooLarge || len(body) <= 64<<10 {
			got.want(t, want)
		}
	})
}

func isCloseOrder(body string) bool {
	if strings.TrimSpace(body) == "" {
		return true
	}
	var members map[string]json.RawMessage
	if strictjson.Check([]byte(body)) != nil || json.Unmarshal([]byte(body), &members) != nil || members == nil {
		return false
	}
	for name, raw := range members {
		code, err := strconv.Atoi(string(raw))
		known := slices.Contains([]int{1000, 1001, 1008, 1011, 1012, 1013}, code) || code >= 4000 && code < 5000
		var reason *string
		isText := json.Unmarshal(raw, &reason) == nil && reason != nil && len(*reason) <= 123
		if name == "code" && (err != nil || !known) || name == "reason" && !isText || name != "code" && name != "reason" {
			return false
		}
	}
	return true
}
