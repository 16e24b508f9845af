package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	old := mustLoad(t, Sources{Environ: []string{
		"REALTIME_JWT_HMAC_SECRET=" + longSecret, "REALTIME_API_KEY=old-key", "REALTIME_JWKS_URL=https://id.example/?k=hush-1", "REALTIME_JWT_ISSUER=the issuer",
	}})
	next := mustLoad(t, Sources{Environ: []string{
		"REALTIME_JWT_HMAC_SECRET=" + longSecret + "x", "REALTIME_JWKS_URL=https://id.example/?k=hush-2", "REALTIME_MESSAGE_RATE=500", "REALTIME_MESSAGE_SIZE=1KiB",
		"REALTIME_ALLOWED_ORIGINS=https://a.example,https://b.example", "REALTIME_COMPRESSION=on", "REALTIME_SLOW_TOPICS=a=latest-only", "REALTIME_TRUSTED_PROXIES=10.0.0.0/8",
	}})
	want := []string{
		"compression: false -> true",
		"jwt_hmac_secret: changed",
		"jwks_url: changed",
		`jwt_issuer: "the issuer" -> ""`,
		"api_key: changed",
		`allowed_origins: "" -> https://a.example,https://b.example`,
		`trusted_proxies: "" -> 10.0.0.0/8`,
		"message_size: 64KiB -> 1KiB",
		"message_rate: 1000 -> 500",
		`slow_topics: "" -> a=latest-only`,
	}
	got := Diff(old, next)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the changes (-want +got):\n%s", diff)
	}
	if text := strings.Join(got, " "); strings.Contains(text, "hush") || strings.Contains(text, longSecret) || strings.Contains(text, "old-key") {
		t.Errorf("a change shows a secret: %s", text)
	}
	if same := Diff(old, mustLoad(t, Sources{Environ: []string{
		"REALTIME_JWT_HMAC_SECRET=" + longSecret, "REALTIME_API_KEY=old-key,", "REALTIME_JWKS_URL=https://id.example/?k=hush-1", "REALTIME_JWT_ISSUER=the issuer", "REALTIME_DRAIN=30s",
	}})); len(same) > 0 {
		t.Errorf("equal configurations differ: %q", same)
	}
}

// What a file holds counts, not when it was written.
func TestDigests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret, settings := write("secret", longSecret), filepath.Join(dir, "realtime.yaml")
	write("realtime.yaml", "jwt_hmac_secret_file: "+secret+"\napi_key_file: "+filepath.Join(dir, "none")+"\n")
	c := mustLoad(t, Sources{File: settings})
	first := c.DigestsLoaded()
	if len(first) != 3 {
		t.Fatalf("%d digests, want 3", len(first))
	}
	for _, step := range []struct {
		do   func()
		want []string
		same bool
	}{
		{func() { write("secret", longSecret) }, nil, true},
		{func() { write("secret", longSecret+"x") }, []string{"jwt_hmac_secret_file: the file changed"}, false},
		{func() { write("none", "a key") }, []string{"jwt_hmac_secret_file: the file changed", "api_key_file: the file changed"}, false},
		{func() { write("secret", longSecret); _ = os.Remove(filepath.Join(dir, "none")) }, nil, true},
		{func() { write("realtime.yaml", "drain: 1s") }, nil, false},
	} {
		step.do()
		now := c.Digests()
		if diff := cmp.Diff(step.want, now.Changes(first, nil)); diff != "" {
			t.Errorf("the changes (-want +got):\n%s", diff)
		}
		if got := cmp.Equal(first, now); got != step.same {
			t.Errorf("the digests are the same: %v, want %v", got, step.same)
		}
	}
	if !cmp.Equal(first, c.DigestsLoaded()) {
		t.Error("the file of the settings is not as it was loaded")
	}
	if got := c.Digests().Changes(Digests{"jwt_hmac_secret_file": {}}, []string{"jwt_hmac_secret_file: a -> b"}); len(got) > 0 {
		t.Errorf("another file is named, and its content mentioned: %q", got)
	}
}
