package config

import (
	"net/netip"
	"testing"

	"boundary-app.org/realtime"
)

func TestSizes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"1": 1, "512B": 512, "64KiB": 65536, "64 KiB": 65536, "1MiB": 1 << 20, "2047MiB": 2047 << 20, "1GiB": 1 << 30,
	} {
		var got int
		if err := (size{&got}).set(text); err != nil || got != want {
			t.Errorf("%q: %d (%v), want %d", text, got, err, want)
		}
	}
	for n, want := range map[int]string{1: "1B", 1000: "1000B", 1 << 10: "1KiB", 1 << 20: "1MiB", 3 << 29: "1536MiB", 1 << 30: "1GiB"} {
		if got := (size{&n}).String(); got != want {
			t.Errorf("%d is written %q, want %q", n, got, want)
		}
	}
	for _, text := range []string{"", "KiB", "1.5MiB", "64kb", "64KB", "-1", "1e3", "0x10", "2GiB", "99999999999999999999"} {
		got := 7
		if err := (size{&got}).set(text); err == nil || got != 7 {
			t.Errorf("%q is taken as %d", text, got)
		}
	}
}

func TestNetworks(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "10.1.2.3": "10.1.2.3/32", "10.1.2.3/8, fd00::1": "10.0.0.0/8,fd00::1/128", "fe80::1%eth0": "fe80::1/128",
		"::ffff:10.1.2.3, ::ffff:10.1.2.3/104": "10.1.2.3/32,10.0.0.0/8", "::ffff:0:0/96": "0.0.0.0/0",
	} {
		v := networks{new([]netip.Prefix)}
		if err := v.set(text); err != nil || v.String() != want {
			t.Errorf("%q: %q (%v), want %q", text, v.String(), err, want)
		}
	}
	for _, text := range []string{"10.0.0.0/33", "example.com", "10.0.0", "10.0.0.1:80", "*", "fe80::1%eth0/64", "fe80::1%eth0/x", "::ffff:10.0.0.0/8"} {
		if err := (networks{new([]netip.Prefix)}).set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "a=latest-only": "a=latest-only", "price:* = latest-only, log=drop-oldest,*=disconnect": "price:*=latest-only,log=drop-oldest,*=disconnect",
		"a=b=drop-oldest": "a=b=drop-oldest",
	} {
		v := policies{new([]realtime.TopicRule)}
		if err := v.set(text); err != nil || v.String() != want {
			t.Errorf("%q: %q (%v), want %q", text, v.String(), err, want)
		}
	}
	for _, text := range []string{"a", "a=", "=latest-only", "latest-only", "a=newest", "a::b=latest-only", "a=latest-only=", "*:a=drop-oldest"} {
		if err := (policies{new([]realtime.TopicRule)}).set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// FuzzValue gives every setting any text: what is taken can be printed and
// taken again, and what is refused changes nothing.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{"", "1", "64KiB", "25s", "true", "a,b", "127.0.0.1:80", "[::1]:0", "off", "info", "json", "1e-9", "inf", "-1s", "9999999h", ":", "https://a:b@c/?d#e", "a*=latest-only", "10.0.0.0/8", "//@x?"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range settings {
			first, again := new(Config), new(Config)
			if err := s.field(first).set(text); err != nil {
				if s.secret() {
					t.Errorf("%s: a secret is refused, and the refusal may quote it: %v", s.name, err)
				}
				continue
			}
			printed := s.field(first).String()
			if s.secret() {
				continue
			}
			if err := s.field(again).set(printed); err != nil || s.field(again).String() != printed {
				t.Errorf("%s: %q is printed as %q and read as %q (%v)", s.name, text, printed, s.field(again), err)
			}
		}
	})
}

func TestPlacesOfTokens(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "header": "header", " subprotocol , query ": "subprotocol,query", "query,header,subprotocol": "query,header,subprotocol",
	} {
		v := places{new([]realtime.TokenSource)}
		if err := v.set(text); err != nil || v.String() != want {
			t.Errorf("%q: %q (%v), want %q", text, v.String(), err, want)
		}
	}
	for _, text := range []string{"cookie", "Query", "query,query", "query header"} {
		if err := (places{new([]realtime.TokenSource)}).set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
