package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/internal/loglimit"
)

// refusedLines returns the lines of a JSON log about refused calls.
func refusedLines(t *testing.T, log string) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if m["msg"] == "an API call was refused" {
			lines = append(lines, m)
		}
	}
	return lines
}

// counted returns the refused calls that are counted with a code, and how many
// codes there are.
func counted(t *testing.T, svc *realtime.Service, code string) (n float64, codes int) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(svc.Collector())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "realtime_api_refusals_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			codes++
			if m.GetLabel()[0].GetValue() == code {
				n = m.GetCounter().GetValue()
			}
		}
	}
	return n, codes
}

// A refused call is counted by its code, and logged with the operation and the
// caller's address; what the caller sent is in neither.
func TestRefusedCallsAreLogged(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		method, path, key, body string
		status                  int
		code, operation         string
	}{
		{"POST", "/v1/users/secret/messages", "", message, 401, "missing_key", "/v1/users/{user}/messages"},
		{"POST", "/v1/users/secret/messages", "Bearer secret-wrong-key", message, 401, "invalid_key", "/v1/users/{user}/messages"},
		{"POST", "/v1/users/secret/messages", "Bearer " + key, `{"secret"`, 400, "malformed_json", "/v1/users/{user}/messages"},
		{"DELETE", "/v1/connections/secret", "Bearer " + key, "", 404, "unknown_connection", "/v1/connections/{id}"},
		{"SECRET", "/v1/users/secret/messages", "Bearer " + key, "", 405, "method_not_allowed", "/v1/users/{user}/messages"},
		{"GET", "/v1/secret?secret", "Bearer " + key, "", 404, "unknown_path", "unknown"},
	} {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			h, svc := logged(t, &log)
			r := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
			r.Header.Set("X-Forwarded-For", "203.0.113.7")
			if test.key != "" {
				r.Header.Set("Authorization", test.key)
			}
			answer := httptest.NewRecorder()
			h.ServeHTTP(answer, r)
			lines := refusedLines(t, log.String())
			if answer.Code != test.status || len(lines) != 1 {
				t.Fatalf("status %d, %d lines: %s", answer.Code, len(lines), &log)
			}
			line, method := lines[0], test.method
			if method == "SECRET" {
				method = "other"
			}
			for name, want := range map[string]any{
				"level": "INFO", "code": test.code, "status": test.status, "method": method,
				"path": test.operation, "address": "203.0.113.7",
			} {
				if fmt.Sprint(line[name]) != fmt.Sprint(want) {
					t.Errorf("%s is %v, want %v", name, line[name], want)
				}
			}
			if text := strings.ToLower(log.String()); strings.Contains(text, "secret") || strings.Contains(text, key) {
				t.Errorf("the log shows what the caller sent: %s", &log)
			}
			if n, codes := counted(t, svc, test.code); n != 1 || codes != len(api.Codes()) {
				t.Errorf("%v refusals of %d codes are counted, want 1 of %d", n, codes, len(api.Codes()))
			}
		})
	}
}

// logged returns an API behind a proxy, whose address is that of requests made by
// httptest.
func logged(t *testing.T, log *bytes.Buffer) (http.Handler, *realtime.Service) {
	t.Helper()
	to := slog.New(slog.NewJSONHandler(log, nil))
	svc, err := realtime.New(realtime.Options{Log: to})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, svc) })
	return api.New(svc, api.Options{
		Keys: []string{key}, Log: to, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
	}), svc
}

// A flood of one refusal fills no disk and hides no other; all are counted.
func TestRefusedCallsAreLoggedAtALimitedRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const flood = 100
		var log bytes.Buffer
		h, svc := logged(t, &log)
		for range flood {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v1/topics", nil))
		}
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/v1/nothing", nil))
		wrong := httptest.NewRequest("GET", "/v1/topics", nil)
		wrong.Header.Set("Authorization", "Bearer x")
		h.ServeHTTP(httptest.NewRecorder(), wrong)
		lines := refusedLines(t, log.String())
		if len(lines) != loglimit.Burst+1 || lines[loglimit.Burst]["code"] != "invalid_key" {
			t.Errorf("%d lines: %s", len(lines), &log)
		}
		if n, _ := counted(t, svc, "missing_key"); n != flood+1 {
			t.Errorf("%v refusals are counted, want %d", n, flood+1)
		}
	})
}

// RequireKey reports in the same way.
func TestRefusalsOfRequireKeyAreLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	_, svc := logged(t, &log)
	h := api.RequireKey(svc, api.Options{Keys: []string{key}, Log: slog.New(slog.NewJSONHandler(&log, nil))}, http.NotFoundHandler())
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil))
	lines := refusedLines(t, log.String())
	if n, _ := counted(t, svc, "missing_key"); n != 1 || len(lines) != 1 || lines[0]["path"] != "guarded" {
		t.Errorf("%v are counted, the log is %s", n, &log)
	}
}
