package socket

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAppendHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op     Opcode
		length int
		rsv1   bool
		want   string
	}{
		{OpText, 0, false, "81 00"},
		{OpBinary, 125, false, "82 7d"},
		{OpText, 126, false, "81 7e 00 7e"},
		{OpText, 65535, true, "c1 7e ff ff"},
		{OpText, 65536, false, "81 7f 00 00 00 00 00 01 00 00"},
		{OpPong, 3, false, "8a 03"},
	} {
		if got := fmt.Sprintf("% x", AppendHeader(nil, c.op, c.length, c.rsv1)); got != c.want {
			t.Errorf("opcode %d length %d: %s, want %s", c.op, c.length, got, c.want)
		}
	}
}

// The masked and unmasked "Hello" of RFC 6455 section 5.7.
func TestAppendFrame(t *testing.T) {
	t.Parallel()
	payload := []byte("Hello")
	if got := AppendFrame([]byte("before"), OpText, payload); string(got) != "before\x81\x05Hello" {
		t.Errorf("unmasked: %x", got)
	}
	masked := AppendMaskedFrame([]byte("before"), OpText, payload, [4]byte{0x37, 0xFA, 0x21, 0x3D})
	if got := fmt.Sprintf("%x", masked[6:]); got != "818537fa213d7f9f4d5158" {
		t.Errorf("masked: %s", got)
	}
	if string(payload) != "Hello" {
		t.Error("the payload was masked in place")
	}
}

func TestAppendClose(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code         uint16
		reason, want string
	}{
		{1000, "", "\x88\x02\x03\xE8"},
		{4008, "too slow", "\x88\x0A\x0F\xA8too slow"},
		{1005, "ignored", "\x88\x00"},
		{1006, "ignored", "\x88\x00"},
		{1015, "ignored", "\x88\x00"},
		{1001, strings.Repeat("r", 130), "\x88\x7D\x03\xE9" + strings.Repeat("r", 123)},
		{1001, strings.Repeat("r", 122) + "€", "\x88\x7C\x03\xE9" + strings.Repeat("r", 122)},
		{1001, strings.Repeat("r", 121) + "é!", "\x88\x7D\x03\xE9" + strings.Repeat("r", 121) + "é"},
		{1001, "a\xFFb", "\x88\x07\x03\xE9a\uFFFDb"},
	} {
		if got := string(AppendClose(nil, c.code, c.reason)); got != c.want {
			t.Errorf("%d %q: %q, want %q", c.code, c.reason, got, c.want)
		}
	}
}

func TestFrameLen(t *testing.T) {
	t.Parallel()
	var chunk []byte
	var sizes []int
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, 100000} {
		before := len(chunk)
		chunk = AppendFrame(chunk, OpText, make([]byte, n))
		sizes = append(sizes, len(chunk)-before)
	}
	chunk = AppendDeflatedFrame(chunk, OpText, bytes.Repeat([]byte("deflate"), 100))
	sizes = append(sizes, len(chunk))
	for i, b := 0, chunk; len(b) > 0; i++ {
		header, payload, ok := FrameLen(b)
		if last := i == len(sizes)-1; !ok || !last && header+payload != sizes[i] || last && header+payload != len(b) {
			t.Fatalf("frame %d: %d + %d, %v", i, header, payload, ok)
		}
		b = b[header+payload:]
	}
	for _, cut := range [][]byte{nil, {0x81}, {0x81, 126}, {0x81, 126, 1}, {0x81, 127, 0, 0, 0, 0, 0, 1, 0}} {
		if header, payload, ok := FrameLen(cut); ok {
			t.Errorf("FrameLen(%x) = %d, %d", cut, header, payload)
		}
	}
	if header, payload, ok := FrameLen([]byte{0x81, 126, 1, 0}); header != 4 || payload != 256 || !ok {
		t.Errorf("header alone: %d, %d, %v", header, payload, ok)
	}
}

// FuzzFrames: what the Append functions build, a Reader of the other side reads back.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("Hello"), []byte{1, 2, 3, 4}, uint16(1000), "bye")
	f.Add(bytes.Repeat([]byte("ab"), 1000), []byte{0, 0, 0, 0}, uint16(4999), strings.Repeat("é", 100))
	f.Fuzz(func(t *testing.T, payload, key []byte, code uint16, reason string) {
		var mask [4]byte
		copy(mask[:], key)
		op := OpBinary
		if utf8.Valid(payload) {
			op = OpText
		}
		for _, c := range []struct {
			client bool
			frame  []byte
		}{
			{true, AppendFrame(nil, op, payload)},
			{true, AppendDeflatedFrame(nil, op, payload)},
			{false, AppendMaskedFrame(nil, op, payload, mask)},
			{false, AppendMaskedDeflatedFrame(nil, op, payload, mask)},
		} {
			var r Reader
			ev, rest, err := r.Next(&Config{Client: c.client, MaxMessage: 1 << 20}, true, c.frame)
			if err != nil || len(rest) != 0 || ev.Kind != Message || ev.Op != op || !bytes.Equal(ev.Data, payload) {
				t.Fatalf("%x: %s, %v", c.frame, describe(ev), err)
			}
		}
		var r Reader
		ev, _, err := r.Next(&Config{Client: true}, false, AppendClose(nil, code, reason))
		if ValidCloseCode(code) && (err != nil || ev.Kind != Close || ev.Code != code) {
			t.Fatalf("close %d %q: %s, %v", code, reason, describe(ev), err)
		}
	})
}

func BenchmarkAppendFrame(b *testing.B) {
	payload := bytes.Repeat([]byte("x"), 128)
	dst := make([]byte, 0, 256)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendFrame(dst[:0], OpText, payload)
	}
}

func BenchmarkAppendMaskedFrame(b *testing.B) {
	payload := bytes.Repeat([]byte("x"), 128)
	dst := make([]byte, 0, 256)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendMaskedFrame(dst[:0], OpText, payload, testMask)
	}
}
