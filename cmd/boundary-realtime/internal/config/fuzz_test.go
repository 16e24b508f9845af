package config

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// loadText is Load of a file given as text.
func loadText(data string) (*Config, Problems) {
	var problems Problems
	c := &Config{origins: map[string]string{}}
	c.apply("default", presets(), &problems)
	c.apply("file", parseFile("file", []byte(data), &problems), &problems)
	return c, problems
}

// FuzzEnviron: a variable is a setting or complained of, no complaint and no
// print shows a secret, and what is printed is a file that says the same.
func FuzzEnviron(f *testing.F) {
	const planted = "planted-secret"
	for _, seed := range []string{
		"", "REALTIME_LISTEN=:1", "REALTIME_listen=:1\nREALTIME_DRAIN=2s", "REALTIME_=x", "=", "REALTIME_JWT_ISSUER=\"a\\b\"",
		"REALTIME_SERVICE_HOST=1\nREALTIME_PORT=tcp://1", "REALTIME_API_KEYS=" + planted, "REALTIME_TOKEN_PARAM=é\u2028\t",
		"REALTIME_ALLOWED_ORIGINS=https://a.example,,https://b.example\nREALTIME_DEV=yes", "REALTIME_MESSAGE_RATE=1e3",
		"REALTIME_JWKS_URL=https://me:" + planted + "@id.example/?k=" + planted, "REALTIME_REQUIRED_ROLES= a , b ",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "REALTIME_CONFIG=") {
			return // it would be read
		}
		environ := append(strings.Split(text, "\n"), "REALTIME_JWT_HMAC_SECRET="+planted, "REALTIME_API_KEY="+planted)
		if !utf8.ValidString(text) {
			return
		}
		c, err := Load(Sources{Environ: environ})
		var printed strings.Builder
		if printErr := c.Print(&printed); printErr != nil {
			t.Fatal(printErr)
		}
		if !strings.Contains(text, planted) && strings.Contains(printed.String(), planted) {
			t.Fatalf("the print shows a secret:\n%s", &printed)
		}
		if err != nil {
			if !strings.Contains(text, planted) && strings.Contains(err.Error(), planted) {
				t.Fatalf("a problem shows a secret: %v", err)
			}
			return
		}
		again, problems := loadText(printed.String())
		for _, s := range settings {
			if got, want := s.field(again).String(), s.field(c).String(); got != want && !s.secret() {
				t.Errorf("%s is %q, printed and read %q: %v", s.name, want, got, problems)
			}
		}
	})
}
