package auth

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// Over real HTTP: what the in-memory issuer cannot show.
func TestFetchOverHTTP(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !r.Close {
			t.Error("the connection would stay open between fetches")
		}
		_, _ = io.WriteString(w, jwkSet(jwk("a", rsaKey().Public(), "")))
	}))
	defer server.Close()
	j := newJWT(t, Options{JWKSURL: server.URL + "/jwks"})
	wantReason(t, j, signed("RS256", "a", rsaKey()), "")
}

// A redirect is not followed. The error says where it leads to, without what may be a
// secret, and what to do.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hidden", func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	for path, location := range map[string]string{
		"/path": "/hidden", "/host": "https://me:hidden@id2.example/hidden?key=hidden#hidden", "/none": "",
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusPermanentRedirect)
		})
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	for path, says := range map[string]string{
		"/path":  `answered 308, a redirect to "` + server.URL + `", and redirects are not followed`,
		"/host":  `answered 308, a redirect to "https://id2.example", and`,
		"/none":  "answered 308, want 200",
		"/other": "answered 404, want 200",
	} {
		var log bytes.Buffer
		j := newJWT(t, Options{JWKSURL: server.URL + path, Log: slog.New(slog.NewTextHandler(&log, nil))})
		_, err := j.Verify(t.Context(), signed("RS256", "a", rsaKey()))
		_ = j.Close() // the fetch has been logged
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(Detail(err), says) || !strings.Contains(log.String(), "answered ") {
			t.Errorf("%s: %v, log %s; want it to say %s", path, err, &log, says)
		}
		if strings.Contains(err.Error()+log.String(), "hidden") {
			t.Errorf("%s: a secret shows: %v, log %s", path, err, &log)
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("followed %d times", n)
	}
}

// An issuer in the same cluster may have no certificate. It has to be asked for, and
// is logged as loudly as what it opens.
func TestPlainHTTPIsAskedFor(t *testing.T) {
	t.Parallel()
	id := new(issuer)
	id.publish(jwk("a", rsaKey().Public(), ""))
	for _, c := range []struct {
		url          string
		allow, warns bool
		refused      string // "": taken
	}{
		{"http://id.cluster.example/jwks?key=hidden", true, true, ""},
		{"http://10.0.0.7:8080/jwks", true, true, ""},
		{"http://127.0.0.1:8080/jwks", true, false, ""},
		{"https://id.example/jwks", true, false, ""},
		{"http://id.cluster.example/jwks?key=hidden", false, false, "set AllowHTTP (jwks_allow_http)"},
		{"http://localhost.example/jwks", false, false, "set AllowHTTP (jwks_allow_http)"},
		{"ftp://id.example/jwks?key=hidden", true, false, "want https"},
	} {
		var log bytes.Buffer
		o := Options{JWKSURL: c.url, AllowHTTP: c.allow, Client: &http.Client{Transport: id}, Log: slog.New(slog.NewTextHandler(&log, nil))}
		j, err := New(o)
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("%s: %v, want it to say %q", c.url, err, c.refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		wantReason(t, j, signed("RS256", "a", rsaKey()), ReasonExpired) // the clock is not the tests'
		_ = j.Close()
		if warned := strings.Contains(log.String(), "level=WARN"); warned != c.warns || strings.Contains(log.String(), "hidden") {
			t.Errorf("%s: warned %v, want %v; log %s", c.url, warned, c.warns, &log)
		}
	}
}
