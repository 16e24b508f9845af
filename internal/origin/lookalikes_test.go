package origin_test

import (
	"log/slog"
	"net/http"
	"testing"

	"boundary-app.org/realtime"
)

// D10: what looks like a listed origin, and is not: other hosts in the same
// letters, other spellings, parts of other pages' addresses, several at once.
func TestOriginLookAlikes(t *testing.T) {
	t.Parallel()
	svc := newService(t, slog.New(slog.DiscardHandler))
	target := "http://example.com/ws?token=good"
	h := svc.Handler(realtime.HandlerOptions{AllowedOrigins: []string{"https://kiosk.example.com", "http://[::1]:3000"}})
	for name, c := range map[string]struct {
		origins []string
		passes  bool
	}{
		"Kelvin for k":              {[]string{"https://\u212Aiosk.example.com"}, false},
		"listed":                    {[]string{"https://kiosk.example.com"}, true},
		"listed, IPv6":              {[]string{"http://[::1]:3000"}, true},
		"listed, twice":             {[]string{"https://kiosk.example.com", "https://kiosk.example.com"}, false},
		"listed, then foreign":      {[]string{"https://kiosk.example.com", "https://evil.net"}, false},
		"foreign, then listed":      {[]string{"https://evil.net", "https://kiosk.example.com"}, false},
		"listed and null":           {[]string{"https://kiosk.example.com", "null"}, false},
		"listed, and an empty one":  {[]string{"https://kiosk.example.com", ""}, false},
		"both in one":               {[]string{"https://kiosk.example.com http://[::1]:3000"}, false},
		"prefix of a host":          {[]string{"https://kiosk.example.co"}, false},
		"listed as a prefix":        {[]string{"https://kiosk.example.com.evil.net"}, false},
		"listed as a suffix":        {[]string{"https://evil-kiosk.example.com"}, false},
		"listed as a subdomain":     {[]string{"https://a.kiosk.example.com"}, false},
		"its parent":                {[]string{"https://example.com"}, false},
		"listed as user":            {[]string{"https://kiosk.example.com@evil.net"}, false},
		"listed as user, with port": {[]string{"https://kiosk.example.com:443@evil.net"}, false},
		"listed behind a backslash": {[]string{`https://evil.net\@kiosk.example.com`}, false},
		"listed before a backslash": {[]string{`https://kiosk.example.com\.evil.net`}, false},
		"listed as path":            {[]string{"https://evil.net/https://kiosk.example.com"}, false},
		"listed as query":           {[]string{"https://evil.net?https://kiosk.example.com"}, false},
		"listed as fragment":        {[]string{"https://evil.net#https://kiosk.example.com"}, false},
		"wildcard":                  {[]string{"https://*.example.com"}, false},
		"Cyrillic letters":          {[]string{"https://kiosk.ехample.com"}, false},
		"punycode":                  {[]string{"https://kiosk.xn--xample-2of.com"}, false},
		"full-width letters":        {[]string{"https://ｋiosk.example.com"}, false},
		"full-width dot":            {[]string{"https://kiosk．example.com"}, false},
		"percent-encoded":           {[]string{"https://ki%6Fsk.example.com"}, false},
		"NUL":                       {[]string{"https://kiosk.example.com\x00"}, false},
		"NUL and more":              {[]string{"https://kiosk.example.com\x00.evil.net"}, false},
		"tab":                       {[]string{"https://kiosk.example\t.com"}, false},
		"space before":              {[]string{" https://kiosk.example.com"}, false},
		"dot behind":                {[]string{"https://kiosk.example.com."}, false},
		"two dots":                  {[]string{"https://kiosk..example.com"}, false},
		"port 0443":                 {[]string{"https://kiosk.example.com:0443"}, false},
		"port of http":              {[]string{"https://kiosk.example.com:80"}, false},
		"two ports":                 {[]string{"https://kiosk.example.com:443:443"}, false},
		"port with a sign":          {[]string{"https://kiosk.example.com:+443"}, false},
		"no slashes":                {[]string{"https:kiosk.example.com"}, false},
		"three slashes":             {[]string{"https:///kiosk.example.com"}, false},
		"no scheme":                 {[]string{"kiosk.example.com"}, false},
		"relative":                  {[]string{"//kiosk.example.com"}, false},
		"wss for https":             {[]string{"wss://kiosk.example.com"}, true},
		"ws for https":              {[]string{"ws://kiosk.example.com"}, false},
		"wss, prefix of a host":     {[]string{"wss://kiosk.example.co"}, false},
		"file":                      {[]string{"file:///"}, false},
		"data":                      {[]string{"data:text/html,x"}, false},
		"NULL":                      {[]string{"NULL"}, false},
		"IPv6 with a zone":          {[]string{"http://[::1%25lo]:3000"}, false},
		"IPv6 written long":         {[]string{"http://[0:0:0:0:0:0:0:1]:3000"}, false},
		"IPv4 in IPv6":              {[]string{"http://[::ffff:127.0.0.1]:3000"}, false},
		"the request's own":         {[]string{"http://example.com"}, true},
		"like the request's own":    {[]string{"http://example.com.evil.net"}, false},
		"its own, then foreign":     {[]string{"http://example.com", "https://evil.net"}, false},
	} {
		r := upgrading(target)
		r.Header["Origin"] = c.origins
		want := http.StatusForbidden
		if c.passes {
			want = http.StatusInternalServerError // for want of a connection to take over
		}
		if status, text := ask(h, r); status != want {
			t.Errorf("%s: %d %s, want %d", name, status, text, want)
		}
	}
}
