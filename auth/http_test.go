package auth_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/socket"
)

// endpoint is a WebSocket endpoint with a verifier, for users with one of the roles.
func endpoint(t *testing.T, v realtime.Verifier, roles ...string) http.Handler {
	t.Helper()
	svc, err := realtime.New(realtime.Options{Verifier: v, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = svc.Shutdown(t.Context()) })
	return svc.Handler(realtime.HandlerOptions{Require: auth.Requirements{Roles: roles}})
}

// granted is the status of a connection that is granted, since a recorder has none to
// take over.
const granted = http.StatusInternalServerError

// open asks for a connection.
func open(h http.Handler, query string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/ws?"+query, nil)
	r.Header = header
	socket.SetRequest(r.Header, socket.HandshakeOptions{})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Every bad token is answered with 401, whichever way it comes, and its reason. One
// whose key may have been published since the last fetch is told to come back, and one
// that should be accepted is.
func TestVectorsOverHTTP(t *testing.T) {
	t.Parallel()
	handlers := map[*auth.JWT]http.Handler{}
	newVerifier := func(o auth.Options) *auth.JWT {
		v, err := auth.New(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = v.Close() })
		handlers[v] = endpoint(t, v)
		return v
	}
	auth.ForEachVector(newVerifier, func(v *auth.JWT, c auth.Vector) {
		answers := map[string]*httptest.ResponseRecorder{"query": open(handlers[v], "token="+url.QueryEscape(c.Token), http.Header{})}
		if strings.Trim(c.Token, " ") == c.Token { // spaces around it are the header's
			answers["header"] = open(handlers[v], "", http.Header{"Authorization": {"Bearer " + c.Token}})
		}
		for way, w := range answers {
			checkAnswer(t, c, way, w)
		}
	})
}

func checkAnswer(t *testing.T, c auth.Vector, way string, w *httptest.ResponseRecorder) {
	t.Helper()
	status, text, challenge := http.StatusUnauthorized, "unauthorized: "+string(c.Reason), `Bearer error="invalid_token"`
	switch c.Reason {
	case "":
		status, text, challenge = granted, "", ""
	case auth.ReasonUnavailable:
		status, text, challenge = http.StatusServiceUnavailable, "the token cannot be verified just now; try again", ""
	}
	body := strings.TrimSpace(w.Body.String())
	if w.Code != status || body != text && status != granted {
		t.Errorf("%s by %s: %d %s, want %d and %s", c.Name, way, w.Code, body, status, text)
	}
	if got := w.Header().Get("Www-Authenticate"); got != challenge {
		t.Errorf("%s by %s: Www-Authenticate %q", c.Name, way, got)
	}
}

// A claim that cannot be read as a right costs the right: the user gets in, unless
// the right is required.
func TestOddRightsOverHTTP(t *testing.T) {
	t.Parallel()
	var anyone, admins http.Handler
	auth.ForEachOddRight(func(secret []byte, name, token string) {
		if anyone == nil {
			v, err := auth.New(auth.Options{HMACSecret: secret, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			anyone, admins = endpoint(t, v), endpoint(t, v, "admin", "name")
		}
		if w := open(anyone, "token="+token, http.Header{}); w.Code != granted {
			t.Errorf("%s: %d %s, want it granted", name, w.Code, w.Body)
		}
		if w := open(admins, "token="+token, http.Header{}); w.Code != http.StatusForbidden {
			t.Errorf("%s where a role is required: %d %s, want 403", name, w.Code, w.Body)
		}
	})
}

// A request without a credential is a bad request, and a cookie is none, with
// or without an Origin.
func TestMissingCredentialOverHTTP(t *testing.T) {
	t.Parallel()
	secret := []byte(strings.Repeat("s", 32))
	good, err := auth.Mint(secret, map[string]any{"sub": "u1", "exp": 4e9})
	if err != nil {
		t.Fatal(err)
	}
	v, err := auth.New(auth.Options{HMACSecret: secret})
	if err != nil {
		t.Fatal(err)
	}
	h := endpoint(t, v)
	for name, c := range map[string]struct {
		query  string
		header http.Header
		status int
	}{
		"the token as it should be": {"token=" + good, http.Header{}, 500},
		"nothing":                   {"", http.Header{}, 400},
		"a cookie":                  {"", http.Header{"Cookie": {"token=" + good}}, 400},
		"a cookie and an origin":    {"", http.Header{"Cookie": {"token=" + good}, "Origin": {"http://example.com"}}, 400},
		"a cookie named as header":  {"", http.Header{"Cookie": {"Authorization=Bearer " + good}}, 400},
		"another scheme":            {"", http.Header{"Authorization": {"Basic " + good}}, 400},
		"no scheme":                 {"", http.Header{"Authorization": {good}}, 400},
		"another header":            {"", http.Header{"X-Authorization": {"Bearer " + good}}, 400},
		"another parameter":         {"access_token=" + good, http.Header{}, 400},
		"another protocol's entry":  {"", http.Header{"Sec-Websocket-Protocol": {"chat, bearer." + good}}, 400},
		"an empty parameter":        {"token=", http.Header{}, 401},
		"an empty header":           {"", http.Header{"Authorization": {"Bearer"}}, 401},
		"query and header":          {"token=" + good, http.Header{"Authorization": {"Bearer " + good}}, 400},
		"query twice":               {"token=" + good + "&token=" + good, http.Header{}, 400},
		"query and a bad header":    {"token=" + good, http.Header{"Authorization": {"Bearer x"}}, 400},
		"header twice":              {"", http.Header{"Authorization": {"Bearer " + good, "Bearer " + good}}, 400},
		"two in one header":         {"", http.Header{"Authorization": {"Bearer " + good + ", Bearer " + good}}, 401},
		"query with a semicolon":    {"token=" + good + ";token=" + good, http.Header{}, 400},
		"query not encoded":         {"token=%zz" + good, http.Header{}, 400},
	} {
		w := open(h, c.query, c.header)
		if w.Code != c.status || strings.Contains(w.Body.String(), good) {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.status)
		}
	}
}
