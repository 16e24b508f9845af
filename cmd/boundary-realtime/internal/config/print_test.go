package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

func TestPrintRedacts(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, Sources{Environ: []string{"REALTIME_JWT_HMAC_SECRET=" + longSecret, "REALTIME_API_KEY=key-one,key-two", "REALTIME_DRAIN=90s"}})
	var out strings.Builder
	if err := c.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{longSecret, "key-one", "key-two"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the print shows %q", secret)
		}
	}
	for _, line := range []string{
		`jwt_hmac_secret: "[redacted]"            # environment`,
		`drain: "1m30s"                           # environment`,
		`listen: "127.0.0.1:8080"                 # default`,
		`api_key_file: ""                         # default`,
	} {
		if !strings.Contains(out.String(), line+"\n") {
			t.Errorf("the print lacks the line %s in\n%s", line, out.String())
		}
	}
}

func TestPrintRedactsURLs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://issuer.example/keys":                  "https://issuer.example/keys",
		"https://issuer.example/keys?code=hush":        "https://issuer.example/keys?redacted",
		"https://me:hush@issuer.example/keys":          "https://redacted@issuer.example/keys",
		"https://hush@issuer.example/keys?a=hush#hush": "https://redacted@issuer.example/keys?redacted",
		"https:me:hush@issuer.example":                 "[redacted]",
		"me:hush@issuer.example/keys":                  "[redacted]",
		"https://issuer.example/%zz?hush":              "[redacted]",
	} {
		var out strings.Builder
		if err := mustLoad(t, Sources{Environ: []string{"REALTIME_JWKS_URL=" + text}}).Print(&out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), fmt.Sprintf("jwks_url: %q ", want)) || strings.Contains(out.String(), "hush") {
			t.Errorf("%s: the print lacks %q:\n%s", text, want, out.String())
		}
	}
}

func TestSecretDoesNotShowItself(t *testing.T) {
	t.Parallel()
	s := Secret("hush-hush")
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "config", JWT{HMACSecret: s})
	encoded, err := json.Marshal(map[string]any{"secret": s})
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %s %q %#v %+v", s, s, s, s, JWT{HMACSecret: s}) + log.String() + string(encoded)
	if strings.Contains(all, "hush") {
		t.Errorf("the secret shows: %s", all)
	}
}

func TestReferenceIsAFile(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := PrintReference(&out); err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if !strings.Contains(out.String(), "#"+s.name+": "+s.preset+"\n") || !strings.Contains(out.String(), s.env()) {
			t.Errorf("the reference lacks %s", s.name)
		}
	}
	mustLoad(t, Sources{File: writeFile(t, out.String())})

	// With the comment signs of the settings removed it holds every default.
	var full strings.Builder
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") && !strings.HasSuffix(line, ": \n") {
			full.WriteString(line[1:])
		}
	}
	got, want := mustLoad(t, Sources{File: writeFile(t, full.String())}), mustLoad(t, Sources{})
	got.origins, got.places, got.file, got.loaded = nil, nil, "", digest{}
	want.origins, want.places = nil, nil
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Config{})); diff != "" {
		t.Errorf("the reference's values (-defaults +got):\n%s", diff)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	parse := func(args ...string) (map[string]string, error) {
		flags := NewFlags()
		var cli struct{ kong.Plugins }
		cli.Plugins = kong.Plugins{flags.Target()}
		parser, err := kong.New(&cli, kong.Exit(func(int) {}))
		if err != nil {
			t.Fatal(err)
		}
		_, err = parser.Parse(args)
		return flags.Values(), err
	}
	got, err := parse("--listen=:1", "--dev", "--no-compression", "--drain", "5s", "--required-roles=a,b", "--token-param=")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"listen": ":1", "dev": "true", "compression": "false", "drain": "5s", "required_roles": "a,b", "token_param": ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
	for _, name := range []string{"--jwt-hmac-secret=hush", "--api-key=hush"} {
		if _, err := parse(name); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v; a secret must not be a flag", name, err)
		}
	}
}
