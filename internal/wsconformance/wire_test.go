package wsconformance

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
)

func TestFrameOctets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		frame
		want string
	}{
		{"text", text("Hi"), "81024869"},
		{"fragment", part(opBinary, "\xFF"), "0201ff"},
		{"last fragment", last(""), "8000"},
		{"reserved bits", frame{op: opPing, rsv: rsv1 | rsv3}, "d900"},
		{"close", closing(1000, "bye"), "880503e8627965"},
		{"126 octets", text(strings.Repeat("a", 126)), "817e007e" + strings.Repeat("61", 126)},
		{"65536 octets", text(strings.Repeat("a", 65536)), "817f0000000000010000" + strings.Repeat("61", 65536)},
		{"length in 2 octets", frame{op: opText, width: 2, declared: 3}, "817e0003"},
		{"length with the top bit", frame{op: opText, width: 8, declared: 1 << 63}, "817f8000000000000000"},
	} {
		if got := hex.EncodeToString(c.append(nil, false)); got != c.want {
			t.Errorf("%s: %.40s, want %.40s", c.name, got, c.want)
		}
	}
}

func TestFrameIsReadBack(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 3, 125, 126, 4095, 4096, 4097, 65535, 65536, readStep + 7} {
		for _, masked := range []bool{false, true} {
			sent := binaryOf(highPattern(n))
			got, err := readFrame(bufio.NewReader(bytes.NewReader(sent.append(nil, masked))))
			if err != nil || !got.fin || got.op != opBinary || got.masked != masked || !bytes.Equal(got.payload, sent.payload) {
				t.Errorf("%d octets, masked %v: %v", n, masked, err)
			}
		}
	}
	wrong := text("x")
	wrong.wrongMask = true
	if got, err := readFrame(bufio.NewReader(bytes.NewReader(wrong.append(nil, true)))); err != nil || got.masked {
		t.Errorf("the mask of the other side: %+v, %v", got, err)
	}
}

func TestReadFrameRefuses(t *testing.T) {
	t.Parallel()
	for name, octets := range map[string]string{
		"long ping":         "\x89\x7E\x00\x7E",
		"fragmented ping":   "\x09\x00",
		"length not short":  "\x82\x7E\x00\x05hello",
		"length not middle": "\x82\x7F\x00\x00\x00\x00\x00\x00\xFF\xFF",
		"length too large":  "\x82\x7F\x80\x00\x00\x00\x00\x00\x00\x00",
		"cut header":        "\x82\x7E\x01",
		"cut mask":          "\x82\x81\x01",
		"cut payload":       "\x82\x05hell",
	} {
		if _, err := readFrame(bufio.NewReader(strings.NewReader(octets))); err == nil || dropped(err) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := readFrame(bufio.NewReader(strings.NewReader(""))); !dropped(err) {
		t.Errorf("the end between two frames: error %v", err)
	}
}

func TestChop(t *testing.T) {
	t.Parallel()
	encoded := [][]byte{[]byte("abc"), []byte("de")}
	for c, want := range map[chop]string{whole: "abcde", framed: "abc de", octets: "a b c d e", 2: "ab cd e"} {
		if got := string(bytes.Join(c.cut(encoded), []byte(" "))); got != want {
			t.Errorf("%v: %q, want %q", c, got, want)
		}
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	for _, r := range []rune{0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x10FFFF} {
		if got, want := encode(uint32(r), len(string(r))), string(r); got != want {
			t.Errorf("%U: % x, want % x", r, got, want)
		}
	}
	if got, want := encode('/', 6), "\xFC\x80\x80\x80\x80\xAF"; got != want {
		t.Errorf("over-long: % x, want % x", got, want)
	}
	if got, want := encode(0x7FFFFFFF, 6), "\xFD\xBF\xBF\xBF\xBF\xBF"; got != want {
		t.Errorf("greatest: % x, want % x", got, want)
	}
}

func TestAgreed(t *testing.T) {
	t.Parallel()
	const d = deflateName
	for _, c := range []struct {
		answer, offer string
		on, fails     bool
	}{
		{answer: "", offer: d},
		{answer: d, offer: d, on: true},
		{answer: freshOffer, offer: d, on: true},
		{answer: d, offer: freshOffer, fails: true},
		{answer: d, offer: freshOffer + ", " + d, on: true},
		{answer: d + "; server_max_window_bits=9", offer: d, on: true},
		{answer: d + "; server_max_window_bits=10", offer: d + "; server_max_window_bits=9", fails: true},
		{answer: d, offer: d + "; server_max_window_bits=9", fails: true},
		{answer: d + "; client_max_window_bits=9", offer: d, fails: true},
		{answer: d + "; client_max_window_bits=9", offer: d + "; client_max_window_bits", on: true},
		{answer: d + "; client_max_window_bits=12", offer: d + "; client_max_window_bits=11", fails: true},
		{answer: d + "; client_max_window_bits", offer: d + "; client_max_window_bits", fails: true},
		{answer: d, offer: d + "; unknown", fails: true},
		{answer: d + "; unknown", offer: d, fails: true},
		{answer: d + ", " + d, offer: d, fails: true},
		{answer: "x-other", offer: d, fails: true},
		{answer: d, offer: "", fails: true},
	} {
		terms, err := agreed([]string{c.answer}, []string{c.offer})
		if (terms != nil) != c.on || (err != nil) != c.fails {
			t.Errorf("%q to %q: %v, %v", c.answer, c.offer, terms, err)
		}
	}
}

func TestPackAndUnpack(t *testing.T) {
	t.Parallel()
	for _, d := range []direction{{true, 15}, {false, 15}, {true, 9}, {false, 9}} {
		out, in := packer{direction: d}, unpacker{direction: d}
		for _, content := range corpora() {
			for i, n := range []int{0, 1, 100, 5000, 100_000} {
				message := content.message(i, n)
				packed, err := out.pack(message)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := in.unpack(packed); err != nil || !bytes.Equal(got, message) {
					t.Fatalf("%+v: %s of %d octets: %v", d, content.name, n, err)
				}
			}
		}
		if _, err := in.unpack([]byte{0x07}); err == nil {
			t.Errorf("%+v: garbage is inflated", d)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	for _, seed := range []frame{text("Hi"), part(opText, ""), ping("x"), closing(1000, ""), text(pattern(126)), declares(opText, 8, 1<<40)} {
		f.Add(seed.append(nil, false))
		f.Add(seed.append(nil, true))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readFrame(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		// What it reads is what the writer makes of it, but for the mask's key.
		again := frame{op: got.op, rsv: got.rsv, more: !got.fin, payload: got.payload}.append(nil, false)
		if got.masked {
			return
		}
		if !bytes.HasPrefix(b, again) {
			t.Fatalf("%x is read as %x", b, again)
		}
	})
}

func FuzzParseTerms(f *testing.F) {
	for _, seed := range []string{plainOffer, freshOffer, deflateName + "; server_max_window_bits=9", "x; a=1", deflateName + ";;"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		terms, err := parseTerms(entry)
		if err != nil {
			return
		}
		for name, value := range terms {
			if !slices.Contains([]string{serverFresh, clientFresh, serverBits, clientBits}, name) || len(value) > 2 {
				t.Fatalf("%q has %q=%q", entry, name, value)
			}
		}
		if terms.bits(serverBits) < 8 || terms.bits(clientBits) > maxWindow {
			t.Fatalf("%q has windows %v", entry, terms)
		}
	})
}
