package origin

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Pages are those from which a browser may connect (RFC 6455 section 10.2, RFC
// 6454): origins, which are compared whole, without patterns and suffixes.
type Pages map[string]bool

// NewPages returns the pages of these origins; without any, those of the host that
// is asked. Useless are the origins that no browser ever sends.
func NewPages(allowed []string) (p Pages, useless []string) {
	p = Pages{}
	for _, origin := range allowed {
		canonical := canonicalOrigin(origin)
		if canonical == "" {
			useless = append(useless, origin)
		}
		p[canonical] = true // also of useless ones: the list is not empty
	}
	return p, useless
}

// Allow reports whether the request's Origin is allowed. A client without one
// is no browser: it has to bring a token itself, and a page cannot make it.
func (p Pages) Allow(r *http.Request) bool {
	values := r.Header["Origin"]
	switch len(values) {
	case 0:
		return true
	case 1:
	default:
		return false
	}
	origin := canonicalOrigin(values[0])
	if origin == "" {
		return false
	}
	if len(p) > 0 {
		return p[origin]
	}
	return origin == canonicalOrigin(scheme(r)+"://"+r.Host)
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// canonicalOrigin returns scheme://host[:port] in lower case without a default
// port, or "" for anything that is not an http or https origin and nothing else.
func canonicalOrigin(origin string) string {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return ""
	}
	if strings.HasSuffix(origin, "#") {
		return ""
	}
	name, port := u.Hostname(), u.Port()
	if strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return "" // browsers write such names in ASCII; in lower case some of them would look like others
	}
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	switch {
	case u.Scheme == "http" && port == "80", u.Scheme == "https" && port == "443":
		port = ""
	case u.Scheme != "http" && u.Scheme != "https":
		return ""
	}
	if port != "" {
		name += ":" + port
	}
	return u.Scheme + "://" + strings.ToLower(name)
}
