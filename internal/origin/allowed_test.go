package origin

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// request is one for a host over plain TCP, from a page.
func request(host string, origins ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/ws", nil)
	r.Host, r.RemoteAddr = host, "192.0.2.1:1"
	if len(origins) > 0 {
		r.Header["Origin"] = origins
	}
	return r
}

func pages(t *testing.T, listed ...string) AllowedOrigins {
	t.Helper()
	p, problems := NewAllowedOrigins(listed, nil)
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	return p
}

// Native shells and browser extensions have schemes of their own.
var nativeOrigins = []string{
	"capacitor://localhost", "ionic://localhost", "tauri://localhost", "app://obsidian.md", "file://",
	"chrome-extension://aapocclcgogkmnckokdopfmhonfmgoek", "moz-extension://2f7d2c8e-6f6a-4a07-9a3e-5d6d0f5b1c11",
	"safari-web-extension://2F7D2C8E-6F6A-4A07-9A3E-5D6D0F5B1C11", "vscode-webview://1hqd8u", "http://localhost:5173",
}

func TestNativeOriginsAreComparedExactly(t *testing.T) {
	t.Parallel()
	for _, listed := range nativeOrigins {
		p := pages(t, listed)
		if why := p.Check(request("example.com", listed)); why != nil {
			t.Errorf("%s is listed and refused: %+v", listed, why)
		}
		for _, other := range []string{
			listed + "/", listed + ".evil.net", listed + ":1x", listed + " ", " " + listed, listed + "\x00", "x" + listed, listed + "#",
			strings.Replace(listed, "://", ":", 1), strings.Replace(listed, "://", "://evil@", 1),
		} {
			if why := p.Check(request("example.com", other)); why == nil {
				t.Errorf("%q passes where %s is listed", other, listed)
			}
		}
		if why := pages(t).Check(request("example.com", listed)); why == nil {
			t.Errorf("%s passes without being listed", listed)
		}
	}
	for listed, other := range map[string]string{
		"capacitor://localhost":                       "capacitor://LOCALHOST",
		"chrome-extension://abc":                      "Chrome-Extension://abc",
		"safari-web-extension://2F7D2C8E-6F6A-4A07":   "safari-web-extension://2f7d2c8e-6f6a-4a07",
		"ionic://localhost":                           "ionic://localhost:80",
		"chrome-extension://abcdef":                   "moz-extension://abcdef",
		"https://app.example.com":                     "capacitor://app.example.com",
		"capacitor://app.example.com":                 "https://app.example.com",
		"chrome-extension://aapocclcgogkmnckokdopfmh": "chrome-extension://aapocclcgogkmnckokdopfmhx",
	} {
		if why := pages(t, listed).Check(request("example.com", other)); why == nil {
			t.Errorf("%s passes where %s is listed", other, listed)
		}
	}
}

// An entry that allows nothing is a mistake, and the problem says what to write.
func TestCheckEntry(t *testing.T) {
	t.Parallel()
	for _, good := range append(nativeOrigins, "https://app.example.com", "https://app.example.com:8443", "HTTPS://APP.EXAMPLE.COM", "http://[::1]:3000",
		"https://app.example.com:65535", "wss://app.example.com", "ws://localhost:5173") {
		if err := CheckEntry(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, want := range map[string]string{
		"":                              "is not an origin; list each as scheme://host or scheme://host:port",
		"*":                             "there are no wildcards",
		"https://*":                     "there are no wildcards",
		"https://*.example.com":         "there are no wildcards",
		"capacitor://*":                 "there are no wildcards",
		"null":                          "sandboxed frames and local files of everyone have this origin",
		"app.example.com":               "is not an origin",
		"https://":                      "is not an origin",
		"https://:443":                  "is not an origin",
		"https://app.example.com:":      "is not an origin",
		"https://app.example.com/":      "no paths",
		"https://app.example.com?":      "is not an origin",
		"https://a@app.example.com":     "is not an origin",
		"ftp://app.example.com":         "is not an origin",
		"https://app.example.com:99999": "is not an origin",
		"https://app.example.com:0443":  "is not an origin",
		"https://app.example.com:0":     "is not an origin",
		"wss://app.example.com/":        "no paths",
		"capacitor://":                  "is not an origin",
		"capacitor://localhost/":        "no paths",
		"Capacitor://localhost":         "is not an origin",
		"1app://localhost":              "is not an origin",
		"file:///":                      "no paths",
		"https://a.example https://b.c": "is not an origin",
	} {
		if err := CheckEntry(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", bad, err, want)
		}
		p, problems := NewAllowedOrigins([]string{bad}, nil)
		if len(problems) != 1 || len(p.allowed) != 0 {
			t.Errorf("%q: problems %v, allowed %v", bad, problems, p.allowed)
		}
		if why := p.Check(request("example.com", bad)); why == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// Some native clients send the URL of the WebSocket as their origin.
func TestSchemesOfWebSockets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		host, origin string
		passes       bool
	}{
		{"node:8080", "ws://node:8080", true},
		{"node", "WS://NODE:80", true},
		{"node:8080", "wss://node:8080", false},
		{"node:8080", "ws://node:8080/ws", false},
		{"node", "wss://app.example.com", true},
		{"node", "wss://app.example.com:443", true},
		{"node", "ws://app.example.com", false},
		{"node", "http://native.example.com", true},
		{"node", "ws://native.example.com", true},
		{"node", "wss://native.example.com", false},
		{"node", "wss://app.example.com.evil.net", false},
	} {
		p := pages(t, "https://app.example.com", "ws://native.example.com")
		if why := p.Check(request(c.host, c.origin)); (why == nil) != c.passes {
			t.Errorf("%s of %s: %+v, want to pass: %v", c.origin, c.host, why, c.passes)
		}
	}
}

// A hint does not ask for what is done: with the PROXY protocol, the peer is the
// client, whose headers are not believed.
func TestHintWhereProxiesAreListed(t *testing.T) {
	t.Parallel()
	p, _ := NewAllowedOrigins(nil, NewProxies([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}))
	for peer, want := range map[string]string{
		"10.0.0.1:5":  "let it set X-Forwarded-Proto and X-Forwarded-Host",
		"192.0.2.1:5": "proxy_protocol",
	} {
		r := request("node", "https://node")
		r.RemoteAddr = peer
		why := p.Check(r)
		if why == nil || !strings.Contains(why.Hint, "list it in allowed_origins") || !strings.Contains(why.Hint, want) || strings.Contains(why.Hint, "list the proxy in trusted_proxies") {
			t.Errorf("from %s: %+v", peer, why)
		}
	}
}

// The server's own origin is as the client has written it, which listed proxies
// know and others may only say.
func TestOwnOrigin(t *testing.T) {
	t.Parallel()
	proxies := NewProxies([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	const proxy, client = "10.0.0.1:5", "192.0.2.1:5"
	for name, c := range map[string]struct {
		peer   string
		header []string
		tls    bool
		origin string
		passes bool
	}{
		"plain":                            {client, nil, false, "http://node:8080", true},
		"TLS":                              {client, nil, true, "https://node:8080", true},
		"proxy that sends nothing":         {proxy, nil, false, "http://node:8080", true},
		"proxy that ends TLS":              {proxy, []string{"X-Forwarded-Proto", "https"}, false, "https://node:8080", true},
		"and the other scheme":             {proxy, []string{"X-Forwarded-Proto", "https"}, false, "http://node:8080", false},
		"in capitals":                      {proxy, []string{"X-Forwarded-Proto", "HTTPS"}, false, "https://node:8080", true},
		"scheme of a WebSocket":            {proxy, []string{"X-Forwarded-Proto", "wss"}, false, "https://node:8080", true},
		"ws behind TLS to us":              {proxy, []string{"X-Forwarded-Proto", "ws"}, true, "http://node:8080", true},
		"unknown scheme":                   {proxy, []string{"X-Forwarded-Proto", "quic"}, false, "http://node:8080", true},
		"host":                             {proxy, []string{"X-Forwarded-Host", "app.example.com"}, false, "http://app.example.com", true},
		"host, no more as the proxy asks":  {proxy, []string{"X-Forwarded-Host", "app.example.com"}, false, "http://node:8080", false},
		"both":                             {proxy, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app.example.com"}, false, "https://app.example.com", true},
		"default port":                     {proxy, []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app.example.com:443"}, false, "https://app.example.com", true},
		"a chain: the outermost":           {proxy, []string{"X-Forwarded-Proto", "https, http", "X-Forwarded-Host", "app.example.com, inner"}, false, "https://app.example.com", true},
		"a chain: not the inner":           {proxy, []string{"X-Forwarded-Host", "app.example.com, inner"}, false, "http://inner", false},
		"no host":                          {proxy, []string{"X-Forwarded-Host", "app.example.com/x"}, false, "http://app.example.com", false},
		"user of a host":                   {proxy, []string{"X-Forwarded-Host", "evil.net@app.example.com"}, false, "http://app.example.com", false},
		"a peer that is not listed":        {client, []string{"X-Forwarded-Proto", "https"}, false, "https://node:8080", false},
		"host of a peer that isn't listed": {client, []string{"X-Forwarded-Host", "evil.net"}, false, "http://evil.net", false},
		"no address":                       {"@", []string{"X-Forwarded-Host", "evil.net"}, false, "http://evil.net", false},
	} {
		p, _ := NewAllowedOrigins([]string{"https://listed.example.com"}, proxies)
		r := request("node:8080", c.origin)
		r.RemoteAddr = c.peer
		for i := 0; i < len(c.header); i += 2 {
			r.Header.Set(c.header[i], c.header[i+1])
		}
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if why := p.Check(r); (why == nil) != c.passes {
			t.Errorf("%s: %+v, want to pass: %v", name, why, c.passes)
		}
	}
}

// A refusal says what came, what was expected, and what to configure.
func TestRefusalExplains(t *testing.T) {
	t.Parallel()
	p := pages(t, "https://listed.example.com", "capacitor://localhost")
	for name, c := range map[string]struct {
		origins []string
		shown   string
		hint    string
	}{
		"foreign":           {[]string{"https://evil.net"}, "https://evil.net", "list it in allowed_origins"},
		"behind TLS":        {[]string{"https://node"}, "https://node", "X-Forwarded-Proto"},
		"another port":      {[]string{"http://node:5173"}, "http://node:5173", "X-Forwarded-Proto"},
		"null":              {[]string{"null"}, "null", "cannot be allowed"},
		"two":               {[]string{"https://evil.net", "http://node"}, "https://evil.net", "more than one"},
		"empty":             {[]string{""}, "", "not an origin"},
		"a path":            {[]string{"https://evil.net/secret"}, "https://evil.net...", "not an origin"},
		"a query":           {[]string{"https://evil.net?secret"}, "https://evil.net...", "not an origin"},
		"a user":            {[]string{"https://secret@evil.net"}, "https://se...", "not an origin"},
		"no scheme":         {[]string{"secret-secret-secret"}, "secret-sec...", "not an origin"},
		"a long label":      {[]string{"https://" + strings.Repeat("s", 64)}, "https://ss...", "list it"},
		"a long host":       {[]string{"https://" + strings.Repeat("s.", 99)}, "https://s....", "list it"},
		"a long scheme":     {[]string{strings.Repeat("s", 99) + "://host"}, "ssssssssss...", "list it"},
		"not UTF-8":         {[]string{"\xff\xfesecret"}, "\uFFFDsecret", "not an origin"},
		"a line of the log": {[]string{"x\nlevel=ERROR"}, "x\nlevel=ER...", "not an origin"},
	} {
		why := p.Check(request("node", c.origins...))
		if why == nil {
			t.Errorf("%s: passes", name)
			continue
		}
		if why.Origin != c.shown || !strings.Contains(why.Hint, c.hint) ||
			!slices.Equal(why.Expected, []string{"http://node", "https://listed.example.com", "capacitor://localhost"}) {
			t.Errorf("%s: %+v", name, why)
		}
	}
	many := slices.Repeat([]string{"https://a.example"}, 50)
	if why := pages(t, many...).Check(request("node", "null")); len(why.Expected) != 11 {
		t.Errorf("%d origins are shown", len(why.Expected))
	}
	if why := pages(t).Check(request("", "https://evil.net")); len(why.Expected) != 0 {
		t.Errorf("without a host: %q", why.Expected)
	}
}

// Whatever an Origin is, it passes only where it is the server's own or listed,
// and what a refusal shows of it is short.
func FuzzCheck(f *testing.F) {
	for _, seed := range append(nativeOrigins, "https://app.example.com", "https://app.example.com/", "null", "*", "", "http://node", "http://NODE:80", "://", "a://b@c") {
		f.Add(seed)
	}
	p, _ := NewAllowedOrigins([]string{"capacitor://localhost", "https://app.example.com", "*", "null"}, nil)
	f.Fuzz(func(t *testing.T, origin string) {
		why := p.Check(request("node", origin))
		if why != nil {
			if len(why.Origin) > 120 {
				t.Errorf("%q is shown as %q", origin, why.Origin)
			}
			return
		}
		folded := strings.ToLower(origin)
		if rest, found := strings.CutPrefix(folded, "ws"); found {
			folded = "http" + rest
		}
		switch {
		case origin == "capacitor://localhost":
		case strings.TrimSuffix(strings.TrimSuffix(folded, "443"), ":") == "https://app.example.com":
		case strings.TrimSuffix(strings.TrimSuffix(folded, "80"), ":") == "http://node":
		default:
			t.Errorf("%q passes", origin)
		}
	})
}
