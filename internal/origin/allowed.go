package origin

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// AllowedOrigins are the origins of the pages from which a browser may connect (RFC
// 6455 section 10.2, RFC 6454): those that are listed, and the one that the request
// itself is for. They are compared whole, without patterns and suffixes.
type AllowedOrigins struct {
	proxies Proxies
	listed  []string
	allowed map[string]bool // listed, in the form of normalize
}

// NewAllowedOrigins returns the listed origins, beside the server's own. Proxies are
// believed which scheme and host a client has asked for. An entry that no browser sends
// as its origin, or that would not tell pages apart, allows nothing; there is a problem
// for each, which says what to write.
func NewAllowedOrigins(listed []string, proxies Proxies) (p AllowedOrigins, problems []error) {
	p = AllowedOrigins{proxies: proxies, listed: listed, allowed: map[string]bool{}}
	for _, entry := range listed {
		if err := CheckEntry(entry); err != nil {
			problems = append(problems, err)
			continue
		}
		p.allowed[normalize(entry)] = true
	}
	return p, problems
}

// CheckEntry returns nil when an origin may be listed: scheme and host, with http
// and https also a port. The error quotes the entry and says what to write.
func CheckEntry(entry string) error {
	switch {
	case entry == null:
		return fmt.Errorf("%q cannot be listed: sandboxed frames and local files of everyone have this origin; "+
			"serve the page from an origin of its own", entry)
	case normalize(entry) == "", strings.HasSuffix(entry, ":"):
		return fmt.Errorf("%q is not an origin; list each as scheme://host or scheme://host:port, "+
			"such as https://app.example.com or capacitor://localhost: there are no wildcards and no paths", entry)
	}
	return nil
}

// null is the origin of pages that have none of their own (RFC 6454 section 7.1).
const null = "null"

// Check returns nil when the page that makes a request may connect. A client
// without an Origin is no browser: it has to bring a token itself, and a page
// cannot make it.
func (p AllowedOrigins) Check(r *http.Request) *Refusal {
	values := r.Header["Origin"]
	if len(values) == 0 {
		return nil
	}
	own := p.proxies.own(r)
	if len(values) > 1 {
		return p.refuse(values[0], own, "the request has more than one Origin header")
	}
	origin := normalize(values[0])
	switch {
	case origin != "" && (origin == own || p.allowed[origin]):
		return nil
	case values[0] == null:
		return p.refuse(null, own, "sandboxed frames and local files of everyone have this origin, and it cannot be allowed; serve the page from an origin of its own")
	case origin == "":
		return p.refuse(values[0], own, "this is not an origin")
	case own != "" && hostname(origin) == hostname(own):
		return p.refuse(origin, own, "it differs from the server's own in scheme or port, as behind a proxy that ends TLS: "+
			"list it in allowed_origins (AllowedOrigins)"+p.proxies.remedy(r))
	}
	return p.refuse(origin, own, "if its pages may connect, list it in allowed_origins (AllowedOrigins)")
}

// remedy is what helps, beside listing an origin, where a proxy hides the server's
// own.
func (p Proxies) remedy(r *http.Request) string {
	peer, ok := parseHop(r.RemoteAddr)
	switch {
	case ok && p.Trusts(peer):
		return ", or configure the proxy: let it set X-Forwarded-Proto and X-Forwarded-Host"
	case len(p) > 0:
		return "; such headers of a proxy do not count here, since the peer is not in trusted_proxies (TrustedProxies): with proxy_protocol it is the client"
	}
	return ", or list the proxy in trusted_proxies (TrustedProxies) and let it set X-Forwarded-Proto and X-Forwarded-Host"
}

// Refusal says which origin may not connect. Its texts are fit for a log.
type Refusal struct {
	Origin   string   // of the page, shortened
	Expected []string // the server's own, and those that are listed, some of them
	Hint     string   // what to configure
}

// maxExpected bounds the origins that a Refusal lists.
const maxExpected = 10

func (p AllowedOrigins) refuse(origin, own, hint string) *Refusal {
	expected := slices.Clone(p.listed[:min(len(p.listed), maxExpected)])
	if own != "" {
		expected = slices.Insert(expected, 0, shorten(own))
	}
	return &Refusal{Origin: shorten(origin), Expected: expected, Hint: hint}
}

// maxShown and maxLabel bound what is shown of an origin, in bytes: a host has no
// longer labels (RFC 1035 section 2.3.4), and may be cut without harm. A text that
// is no origin could be anything, a token for instance.
const (
	maxShown = 100
	maxLabel = 63
	maxOther = 10
)

// shorten returns what a log may hold of an origin that a client has sent: scheme
// and host, or the beginning of another text.
func shorten(origin string) string {
	scheme, rest, found := strings.Cut(origin, "://")
	host := rest
	if end := strings.IndexFunc(rest, func(r rune) bool { return !isHostByte(r) }); end >= 0 {
		host = rest[:end]
	}
	switch {
	case origin == null:
		return origin
	case !found, !isScheme(scheme), len(scheme)+len(host) > maxShown, hasLongLabel(host), strings.Contains(rest, "@"):
		return cut(origin, maxOther)
	case host != rest:
		return scheme + "://" + host + "..."
	}
	return origin
}

func hasLongLabel(host string) bool {
	for label := range strings.SplitSeq(host, ".") {
		if len(label) > maxLabel {
			return true
		}
	}
	return false
}

func cut(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "..."
}

// own returns the origin that a request itself is for, as its client has written
// it: from the first value of X-Forwarded-Proto and X-Forwarded-Host where the
// peer is one of the proxies. The first is the outermost proxy's, or what the
// client wrote itself. That deceives no other client: a page of a browser cannot
// set these headers.
func (p Proxies) own(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if peer, ok := parseHop(r.RemoteAddr); ok && p.Trusts(peer) {
		switch strings.ToLower(firstValue(r, "X-Forwarded-Proto")) {
		case "https", "wss": // some proxies name the scheme of a WebSocket
			scheme = "https"
		case "http", "ws":
			scheme = "http"
		}
		if forwarded := firstValue(r, "X-Forwarded-Host"); forwarded != "" {
			host = forwarded
		}
	}
	return webOrigin(scheme + "://" + host)
}

// firstValue returns the first value of a header that is a list.
func firstValue(r *http.Request, name string) string {
	value, _, _ := strings.Cut(r.Header.Get(name), ",")
	return strings.TrimSpace(value)
}

// normalize returns an origin in the form in which it is compared, or "" for a
// text that is none, or not that of a page.
func normalize(origin string) string {
	scheme, host, found := strings.Cut(origin, "://")
	switch strings.ToLower(scheme) {
	case "http", "https":
		return webOrigin(origin)
	case "ws": // of no page, but native clients send the URL of the WebSocket
		return webOrigin("http://" + host)
	case "wss":
		return webOrigin("https://" + host)
	case "ftp", "data", "blob": // of no page
		return ""
	}
	valid := found && isScheme(scheme) && strings.IndexFunc(host, func(r rune) bool { return !isHostByte(r) }) < 0
	if !valid || host == "" && scheme != "file" {
		return ""
	}
	return origin // exactly, since only its own software knows how to read it
}

// isScheme reports whether a text is a scheme (RFC 3986 section 3.1) as browsers
// write it, in lower case.
func isScheme(text string) bool {
	for i, r := range text {
		letter := r >= 'a' && r <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", r)) {
			return false
		}
	}
	return text != ""
}

// isHostByte reports whether a character may be part of a host with a port.
func isHostByte(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._~:[]", r)
}

// webOrigin returns scheme://host[:port] in lower case without a default port, or
// "" for anything that is not an http or https origin and nothing else.
func webOrigin(origin string) string {
	u, err := url.Parse(origin)
	if err != nil || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return ""
	}
	name, port := u.Hostname(), u.Port()
	switch {
	case name == "", strings.HasSuffix(origin, "#"), strings.Contains(name, "*"):
		return ""
	case strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }):
		return "" // browsers write such names in ASCII; in lower case some of them would look like others
	case strings.Contains(name, ":"):
		name = "[" + name + "]"
	}
	switch {
	case u.Scheme == "http" && port == "80", u.Scheme == "https" && port == "443":
		port = ""
	case u.Scheme != "http" && u.Scheme != "https", port != "" && !isPort(port):
		return ""
	}
	if port != "" {
		name += ":" + port
	}
	return u.Scheme + "://" + strings.ToLower(name)
}

// isPort reports whether digits are a port as browsers write it.
func isPort(digits string) bool {
	n, err := strconv.ParseUint(digits, 10, 16)
	return err == nil && n > 0 && digits[0] != '0'
}

// hostname returns the host of an origin without its port.
func hostname(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
