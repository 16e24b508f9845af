package apiclient

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func serve(t *testing.T, handler http.HandlerFunc) (base string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]error{
		"http://127.0.0.1:8080": nil, "https://realtime.example/": nil, "http://[::1]:1/base/": nil,
		"127.0.0.1:8080": ErrNoURL, "ws://127.0.0.1": ErrNoURL, "http://": ErrNoURL, "http://:80": ErrNoURL, "": ErrNoURL,
		"http://me:hush@host": ErrPrivateURL, "http://host/?": ErrPrivateURL, "http://host#": ErrPrivateURL,
	} {
		base, err := CheckURL(address)
		if !errors.Is(err, want) || err == nil && (base == "" || strings.HasSuffix(base, "/")) {
			t.Errorf("%s: %q, %v; want %v", address, base, err, want)
		}
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	if got := Path("v1", "topics", "a/b ..é"); got != "/v1/topics/a%2Fb%20%2E%2E%C3%A9" {
		t.Errorf("the path is %s", got)
	}
}

func TestCall(t *testing.T) {
	t.Parallel()
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "Bearer key" || (r.Header.Get("Content-Type") == "application/json") != (len(body) > 0) {
			t.Errorf("the header is %v", r.Header)
		}
		_, _ = io.WriteString(w, r.Method+r.URL.Path+string(body))
	})
	for body, want := range map[string]string{"": "PUT/x", "{}": "PUT/x{}"} {
		var data []byte
		if body != "" {
			data = []byte(body)
		}
		answer, err := New(base, "key").Call(t.Context(), http.MethodPut, "/x", data)
		if err != nil || string(answer) != want {
			t.Errorf("call: %s, %v; want %s", answer, err, want)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/problem":
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"title":"Not Found","status":404,"code":"unknown_connection","detail":"no such connection"}`)
		case "/key":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"title":"Unauthorized","status":401,"code":"invalid_key","detail":"the API key is wrong; send a header"}`)
		case "/later":
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/text":
			http.Error(w, "send JSON", http.StatusBadRequest)
		case "/escape":
			http.Error(w, "red \x1b[31m", http.StatusBadRequest)
		case "/moved":
			http.Redirect(w, r, "/problem", http.StatusFound)
		case "/page":
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "<html>")
		}
	})
	for path, want := range map[string]string{
		"/problem": "the server answered 404 Not Found: no such connection [unknown_connection]",
		"/key":     "the server answered 401 Unauthorized: the API key is wrong [invalid_key]; set REALTIME_API_KEY or REALTIME_API_KEY_FILE to a key of this server",
		"/later":   "the server answered 503 Service Unavailable; try again in 3 s",
		"/text":    "the server answered 400 Bad Request: send JSON",
		"/escape":  "the server answered 400 Bad Request",
		"/moved":   "the server answered 302 Found: it redirects to another URL; use that URL",
		"/page":    "the server answered 502 Bad Gateway",
	} {
		_, err := New(base, "key").Call(t.Context(), http.MethodGet, path, nil)
		if problem, ok := errors.AsType[*Problem](err); !ok || problem.Error() != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

func TestListReadsAllPages(t *testing.T) {
	t.Parallel()
	pages := map[string]string{"": `{"things":[1,2],"next":"b&"}`, "b&": `{"things":[],"next":"c"}`, "c": `{"things":[3],"total":3}`}
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("limit") != "1000" || r.URL.Query().Get("user") != "u" {
			t.Errorf("the query is %s", r.URL.RawQuery)
		}
		_, _ = io.WriteString(w, pages[r.URL.Query().Get("after")])
	})
	got := ""
	err := New(base, "").List(t.Context(), "/x", url.Values{"user": {"u"}}, "things", func(entry json.RawMessage) error {
		got += string(entry)
		return nil
	})
	if err != nil || got != "123" {
		t.Errorf("list: %s, %v", got, err)
	}
	if err := New(base, "").List(t.Context(), "/x", url.Values{"user": {"u"}}, "others", nil); err == nil {
		t.Error("a list that is not there was read")
	}
}

func TestDevSession(t *testing.T) {
	t.Parallel()
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case r.Method+r.URL.Path != "POST/dev/session" || r.Header.Get("Content-Type") != "application/json":
			t.Errorf("the request is %s %s", r.Method, r.URL)
		case string(body) == `{"user":"u","roles":["r"],"topics":["t"]}`:
			_, _ = io.WriteString(w, `{"apiKey":"k","token":"t"}`)
		case string(body) == `{}`:
			_, _ = io.WriteString(w, `{"apiKey":"k"}`)
		case string(body) == `{"user":"other"}`:
			_, _ = io.WriteString(w, `<html>`)
		default:
			http.Error(w, "404 page not found", http.StatusNotFound)
		}
	})
	for _, test := range []struct {
		asked Asked
		want  Session
		err   error
	}{
		{Asked{User: "u", Roles: []string{"r"}, Topics: []string{"t"}}, Session{"k", "t"}, nil},
		{Asked{}, Session{"k", ""}, nil},
		{Asked{User: "other"}, Session{}, ErrNotDev},
		{Asked{User: "none"}, Session{}, ErrNotDev},
	} {
		if got, err := DevSession(t.Context(), base, test.asked); got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%+v: %+v, %v", test.asked, got, err)
		}
	}
	for base, want := range map[string]bool{"http://127.0.0.1:1": true, "https://localhost": true, "http://[::1]:1": true, "http://localhost.example": false, "http://10.0.0.1": false} {
		if IsLocal(base) != want {
			t.Errorf("%s is local: %v", base, !want)
		}
	}
}
