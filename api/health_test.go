package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
)

func get(h http.Handler) (status int, header http.Header, body string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	return w.Code, w.Header(), strings.TrimSpace(w.Body.String())
}

func TestHealthAndReady(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	check := func(h http.Handler, wantStatus int, wantBody string) {
		t.Helper()
		status, header, body := get(h)
		if status != wantStatus || body != wantBody || header.Get("Content-Type") != "application/json" || header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %s %v, want %d %s", status, body, header, wantStatus, wantBody)
		}
	}
	check(api.Health(), http.StatusOK, `{"status":"ok"}`)
	check(api.Ready(s.Service), http.StatusOK, `{"status":"ready"}`)
	shutdown(t, s.Service)
	check(api.Health(), http.StatusOK, `{"status":"ok"}`)
	check(api.Ready(s.Service), http.StatusServiceUnavailable, `{"status":"draining"}`)
	if _, header, _ := get(api.Ready(s.Service)); header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q, want 1", header.Get("Retry-After"))
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, api.Options{})
	s.dial(t, "u1")
	s.call(t, "POST", "/v1/broadcast", message).want(t, http.StatusOK)
	for range 2 { // each handler has a registry of its own
		status, _, body := get(api.Metrics(s.Service))
		if status != http.StatusOK {
			t.Fatalf("status %d: %s", status, body)
		}
		for _, line := range []string{
			"realtime_connections 1\n", "realtime_connects_total 1\n", `realtime_messages_published_total{route="everyone"} 1` + "\n",
			"realtime_publish_seconds_count 1\n", "go_goroutines ", "process_open_fds ",
		} {
			if !strings.Contains(body, line) {
				t.Errorf("the metrics have no %q", line)
			}
		}
	}
}
