package socket

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestDeflateOffers(t *testing.T) {
	t.Parallel()
	const agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for _, c := range []struct {
		name, offer, answer string
		supported           bool
	}{
		{"not supported", "permessage-deflate", "", false},
		{"not offered", "", "", true},
		{"other extension", "x-webkit-deflate-frame", "", true},
		{"name in another case", "Permessage-Deflate", "", true},
		{"plain", "permessage-deflate", agreed, true},
		{"as browsers offer", "permessage-deflate; client_max_window_bits", agreed, true},
		{"no context both ways", "permessage-deflate; server_no_context_takeover; client_no_context_takeover", agreed, true},
		{"client window 8", "permessage-deflate; client_max_window_bits=8", agreed, true},
		{"client window 9", "permessage-deflate; client_max_window_bits=9", agreed, true},
		{"client window 15", "permessage-deflate; client_max_window_bits=15", agreed, true},
		{"client window 15, quoted", `permessage-deflate; client_max_window_bits="15"`, agreed, true},
		{"client window 15, escaped", `permessage-deflate; client_max_window_bits="1\5"`, agreed, true},
		{"client window 7", "permessage-deflate; client_max_window_bits=7", "", true},
		{"client window 16", "permessage-deflate; client_max_window_bits=16", "", true},
		{"client window 08", "permessage-deflate; client_max_window_bits=08", "", true},
		{"client window +9", "permessage-deflate; client_max_window_bits=+9", "", true},
		{"server window 15", "permessage-deflate; server_max_window_bits=15", agreed + "; server_max_window_bits=15", true},
		{"server window 9", "permessage-deflate; server_max_window_bits=9", "", true},
		{"server window 16", "permessage-deflate; server_max_window_bits=16", "", true},
		{"server window without a value", "permessage-deflate; server_max_window_bits", "", true},
		{"no context with a value", "permessage-deflate; server_no_context_takeover=1", "", true},
		{"client no context with a value", "permessage-deflate; client_no_context_takeover=true", "", true},
		{"unknown parameter", "permessage-deflate; window=15", "", true},
		{"quality", "permessage-deflate; q=0.5", "", true},
		{"twice", "permessage-deflate; client_max_window_bits; client_max_window_bits", "", true},
		{"twice, differently", "permessage-deflate; client_max_window_bits; client_max_window_bits=9", "", true},
		{"second offer", "permessage-deflate; server_max_window_bits=9, permessage-deflate", agreed, true},
		{"after another", "x-other; a=b, permessage-deflate", agreed, true},
		{"the first acceptable", "permessage-deflate; nope, permessage-deflate; server_max_window_bits=15, permessage-deflate", agreed + "; server_max_window_bits=15", true},
		{"white space", " \tpermessage-deflate\t;\tclient_max_window_bits = 10 ,", agreed, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := upgradeRequest(set("Sec-WebSocket-Extensions", c.offer))
			h, err := CheckHandshake(r, HandshakeOptions{Deflate: c.supported})
			if err != nil {
				t.Fatal(err)
			}
			if h.Deflate != (c.answer != "") || h.Offer.Deflate != strings.Contains(c.offer, "permessage-deflate") {
				t.Errorf("agreed %v, offered %v", h.Deflate, h.Offer.Deflate)
			}
			line := "Sec-WebSocket-Extensions: " + c.answer + "\r\n"
			if answer := string(h.AppendResponse(nil)); strings.Contains(answer, line) != h.Deflate {
				t.Errorf("answer %q", answer)
			}
		})
	}
}

func TestParseExtensions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"", "[]"},
		{",, ,", "[]"},
		{"a", "[{a []}]"},
		{"a;b", "[{a [{b  false}]}]"},
		{"a; b=c ; d=\"e\\f\"", "[{a [{b c true} {d ef true}]}]"},
		{"a, b;c", "[{a []} {b [{c  false}]}]"},
		{"a;", "error"},
		{"a;;b", "error"},
		{"a;b=", "error"},
		{"a;b=,c", "error"},
		{"a b", "error"},
		{"a;b c", "error"},
		{"a;b=\"", "error"},
		{"a;b=\"\"", "error"},
		{"a;b=\"c", "error"},
		{"a;b=\"c d\"", "error"},
		{"a;b=\"c\\", "error"},
		{"a;b=\"c\"d", "error"},
		{"=a", "error"},
		{"ä", "error"},
		{"a\x00", "error"},
		{"a;b=c=d", "error"},
	} {
		list, err := parseExtensions([]string{c.in})
		got := fmt.Sprint(list)
		if err != nil {
			got = "error"
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.in, got, c.want)
		}
	}
	list, err := parseExtensions([]string{"a;b", "c"})
	if got := fmt.Sprint(list); got != "[{a [{b  false}]} {c []}]" || err != nil {
		t.Errorf("two fields: %s, %v", got, err)
	}
}

// FuzzExtensionHeader: what is taken is what the grammar allows; written out again, it parses to the same.
func FuzzExtensionHeader(f *testing.F) {
	f.Add(`permessage-deflate; client_max_window_bits="1\5", x; y`)
	f.Add(`a;b="`)
	f.Add("permessage-deflate; server_max_window_bits=15;server_no_context_takeover")
	f.Fuzz(func(t *testing.T, header string) {
		list, err := parseExtensions([]string{header})
		if valid := extensionList.MatchString(header); valid != (err == nil) {
			t.Fatalf("%q: %v, %v; want valid %v", header, list, err, valid)
		}
		if err != nil {
			return
		}
		var fields []string
		for _, e := range list {
			field := e.name
			for _, p := range e.params {
				field += "; " + p.name
				if p.hasValue {
					field += `="` + p.value + `"`
				}
			}
			fields = append(fields, field)
		}
		again, err := parseExtensions([]string{strings.Join(fields, ", ")})
		if err != nil || fmt.Sprint(again) != fmt.Sprint(list) {
			t.Fatalf("%q: %v, then %v, %v", header, list, again, err)
		}
		answer, ok := answerDeflate(list)
		if ok && !slices.ContainsFunc(list, extension.deflate) {
			t.Fatalf("%q answered to %q", answer, header)
		}
		if parsed, err := parseExtensions([]string{answer}); ok && (err != nil || !acceptDeflate(parsed[0])) {
			t.Fatalf("our client refuses our answer %q", answer)
		}
	})
}
