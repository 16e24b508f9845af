package page

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, method, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return w.Result()
}

func TestHandler(t *testing.T) {
	t.Parallel()
	tests := []struct {
		method, path string
		status       int
		kind         string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/main.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/page.css", 200, "text/css; charset=utf-8"},
		{"GET", "/icon.svg", 200, "image/svg+xml"},
		{"GET", "/docs/", 200, "text/html; charset=utf-8"},
		{"GET", "/docs/operations.md", 200, "text/plain; charset=utf-8"},
		{"GET", "/docs/boundary-realtime.yaml", 200, "text/plain; charset=utf-8"},
		{"GET", "/README.md", 200, "text/plain; charset=utf-8"},
		{"GET", "/PROTOCOL.md", 200, "text/plain; charset=utf-8"},
		{"GET", "/LICENSE", 200, "text/plain; charset=utf-8"},
		{"GET", "/go.mod", 404, "text/plain; charset=utf-8"},
		{"GET", "/api/openapi.json", 302, "text/html; charset=utf-8"},
		{"GET", "/docs/nothing.md", 404, "text/plain; charset=utf-8"},
		{"GET", "/docs/docs.go", 404, "text/plain; charset=utf-8"},
		{"GET", "/nothing", 404, "text/plain; charset=utf-8"},
		{"GET", "/page.go", 404, "text/plain; charset=utf-8"},
		{"POST", "/", 405, "text/plain; charset=utf-8"},
	}
	for _, test := range tests {
		response := get(t, test.method, test.path)
		if response.StatusCode != test.status || response.Header.Get("Content-Type") != test.kind {
			t.Errorf("%s %s: %d %s, want %d %s", test.method, test.path,
				response.StatusCode, response.Header.Get("Content-Type"), test.status, test.kind)
		}
		if csp := response.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self';") {
			t.Errorf("%s %s: the policy is %q", test.method, test.path, csp)
		}
		if response.Header.Get("X-Content-Type-Options") != "nosniff" || response.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s %s: the headers are %v", test.method, test.path, response.Header)
		}
	}
}

// The list names every document, and the links between documents lead to one.
func TestDocumentsAreReached(t *testing.T) {
	t.Parallel()
	elsewhere := regexp.MustCompile(`^(/docs/adr|/bench/|/examples/|/doc\.go|/testdata/|/realtimetest|/openapi\.json)`)
	listed := regexp.MustCompile(`href="(/[^"]+)"`).FindAllStringSubmatch(body(t, "/docs/"), -1)
	links := regexp.MustCompile(`\]\(([^)#:\s]+)[^)]*\)`)
	if len(listed) < 12 {
		t.Errorf("the list has %d links", len(listed))
	}
	for _, at := range listed {
		if elsewhere.MatchString(at[1]) {
			continue
		}
		for _, link := range links.FindAllStringSubmatch(body(t, at[1]), -1) {
			to := path.Join(path.Dir(at[1]), link[1])
			if status := get(t, "GET", to).StatusCode; !elsewhere.MatchString(to) && status >= 400 {
				t.Errorf("%s links to %s, which is answered with %d", at[1], to, status)
			}
		}
	}
}

// body returns a page that there must be.
func body(t *testing.T, path string) string {
	t.Helper()
	response := get(t, "GET", path)
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		t.Errorf("%s: %d, %v", path, response.StatusCode, err)
	}
	return string(text)
}

// The policy would stop these in a browser; the test says where they are.
func TestAssetsAreSelfContained(t *testing.T) {
	t.Parallel()
	forbidden := map[string]*regexp.Regexp{
		"something from elsewhere":   regexp.MustCompile(`(src|href)="(https?:)?//|@import|\burl\(`),
		"a script or style in place": regexp.MustCompile(`<script>|<style|\sstyle="|\son[a-z]+="|javascript:`),
		"text taken for markup":      regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function`),
	}
	seen := 0
	err := fs.WalkDir(embedded, "assets", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		seen++
		data, err := fs.ReadFile(embedded, path)
		for what, pattern := range forbidden {
			if found := pattern.Find(data); found != nil {
				t.Errorf("%s has %s: %s", path, what, found)
			}
		}
		return err
	})
	if err != nil || seen < 5 {
		t.Errorf("%d assets seen: %v", seen, err)
	}
}
