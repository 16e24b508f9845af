package auth

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFromRequest(t *testing.T) {
	t.Parallel()
	const protocol = "Sec-Websocket-Protocol" // as net/http spells it
	for _, c := range []struct {
		name    string
		query   string
		header  http.Header
		token   string
		present bool
		err     error
	}{
		{name: "nothing"},
		{name: "query", query: "token=abc&x=1", token: "abc", present: true},
		{name: "empty query value", query: "token=", present: true},
		{name: "query name alone", query: "token", present: true},
		{name: "other query name", query: "Token=abc"},
		{name: "bearer", header: http.Header{"Authorization": {"Bearer abc"}}, token: "abc", present: true},
		{name: "bearer in any case", header: http.Header{"Authorization": {"bEARER  abc "}}, token: "abc", present: true},
		{name: "bearer and two spaces", header: http.Header{"Authorization": {"Bearer  abc"}}, token: "abc", present: true},
		{name: "bearer and a tab", header: http.Header{"Authorization": {"Bearer\tabc"}}},
		{name: "empty bearer", header: http.Header{"Authorization": {"Bearer"}}, present: true},
		{name: "other scheme", header: http.Header{"Authorization": {"Basic abc"}}},
		{name: "look-alike scheme", header: http.Header{"Authorization": {"Bearers abc"}}},
		{name: "subprotocol", header: http.Header{protocol: {"boundary.realtime.v1, bearer.a.b.c"}}, token: "a.b.c", present: true},
		{name: "subprotocol, other order", header: http.Header{protocol: {"bearer.a.b.c,\tboundary.realtime.v1"}}, token: "a.b.c", present: true},
		{name: "subprotocol in two lines", header: http.Header{protocol: {"boundary.realtime.v1", "bearer.a.b.c"}}, token: "a.b.c", present: true},
		{name: "empty subprotocol token", header: http.Header{protocol: {"boundary.realtime.v1, bearer."}}, present: true},
		{name: "subprotocol with a bare JWT", header: http.Header{protocol: {"boundary.realtime.v1, eyJhbGciOiJIUzI1NiJ9.e30.sig"}}, token: "eyJhbGciOiJIUzI1NiJ9.e30.sig", present: true},
		{name: "bare JWT and a prefixed one", header: http.Header{protocol: {"boundary.realtime.v1, eyJ.e30.sig, bearer.a"}}, err: ErrTwoCredentials},
		{name: "other subprotocols", header: http.Header{protocol: {"boundary.realtime.v1, boundary.realtime.v2, eyJ"}}},
		{name: "subprotocol without token", header: http.Header{protocol: {"boundary.realtime.v1"}}},
		{name: "token of another protocol", header: http.Header{protocol: {"chat, bearer.a.b.c"}}},
		{name: "query twice", query: "token=a&token=a", err: ErrTwoCredentials},
		{name: "header twice", header: http.Header{"Authorization": {"Bearer a", "Bearer a"}}, err: ErrTwoCredentials},
		{name: "subprotocol twice", header: http.Header{protocol: {"boundary.realtime.v1, bearer.a, bearer.b"}}, err: ErrTwoCredentials},
		{name: "query and header", query: "token=a", header: http.Header{"Authorization": {"Bearer a"}}, err: ErrTwoCredentials},
		{name: "empty query and header", query: "token=", header: http.Header{"Authorization": {"Bearer a"}}, err: ErrTwoCredentials},
		{name: "header and subprotocol", header: http.Header{"Authorization": {"Bearer a"}, protocol: {"boundary.realtime.v1, bearer.a"}}, err: ErrTwoCredentials},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "/ws?"+c.query, nil)
			r.Header = c.header
			token, present, err := FromRequest(r, "token")
			if token != c.token || present != c.present || !errors.Is(err, c.err) {
				t.Errorf("FromRequest = %q, %v, %v; want %q, %v, %v", token, present, err, c.token, c.present, c.err)
			}
		})
	}
}

func TestFromRequestParam(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/ws?jwt=a&token=b", nil)
	if token, present, err := FromRequest(r, "jwt"); token != "a" || !present || err != nil {
		t.Errorf("param jwt: %q, %v, %v", token, present, err)
	}
	if token, present, err := FromRequest(r, ""); token != "" || present || err != nil {
		t.Errorf("no param: %q, %v, %v", token, present, err)
	}
}

func TestFromRequestMalformedQueryIsNotQuoted(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "/ws", nil)
	r.URL.RawQuery = "token=%zzsecret"
	_, present, err := FromRequest(r, "token")
	if present || err == nil || strings.Contains(err.Error(), "zz") {
		t.Errorf("FromRequest = %v, %v", present, err)
	}
}

// With sources, only these count, and the first that has a token decides.
func TestFromRequestSources(t *testing.T) {
	t.Parallel()
	sources := func(s ...TokenSource) []TokenSource { return s }
	full := func(r *http.Request) {
		r.URL.RawQuery = "token=q"
		r.Header.Set("Authorization", "Bearer h")
		r.Header.Set("Sec-WebSocket-Protocol", "boundary.realtime.v1, bearer.s")
	}
	header := func(r *http.Request) { r.Header.Set("Authorization", "Bearer h") }
	for name, c := range map[string]struct {
		sources []TokenSource
		fill    func(*http.Request)
		token   string
		present bool
		err     error
	}{
		"all":                     {nil, full, "", false, ErrTwoCredentials},
		"query alone":             {sources(TokenInQuery), full, "q", true, nil},
		"header alone":            {sources(TokenInHeader), full, "h", true, nil},
		"subprotocol alone":       {sources(TokenInSubprotocol), full, "s", true, nil},
		"in order":                {sources(TokenInSubprotocol, TokenInQuery), full, "s", true, nil},
		"in the other order":      {sources(TokenInQuery, TokenInSubprotocol), full, "q", true, nil},
		"the proxy's header":      {sources(TokenInQuery, TokenInSubprotocol), header, "", false, nil},
		"the second":              {sources(TokenInQuery, TokenInHeader), header, "h", true, nil},
		"unknown":                 {sources("cookie"), full, "", false, nil},
		"the first is empty":      {sources(TokenInQuery, TokenInHeader), func(r *http.Request) { r.URL.RawQuery = "token="; header(r) }, "", true, nil},
		"twice in one place":      {sources(TokenInQuery, TokenInHeader), func(r *http.Request) { r.URL.RawQuery = "token=a&token=b" }, "", false, ErrTwoCredentials},
		"a query that is no more": {sources(TokenInHeader), func(r *http.Request) { r.URL.RawQuery = "token=%zz"; header(r) }, "h", true, nil},
	} {
		r := httptest.NewRequest(http.MethodGet, "/ws", nil)
		c.fill(r)
		token, present, err := FromRequest(r, "token", c.sources...)
		if token != c.token || present != c.present || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, %v, %v; want %q, %v, %v", name, token, present, err, c.token, c.present, c.err)
		}
	}
}
