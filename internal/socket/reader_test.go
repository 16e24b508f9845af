package socket

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// octets joins header octets and a payload without masking anything.
func octets(payload string, header ...byte) []byte { return append(header, payload...) }

func TestHeader(t *testing.T) {
	const masked = bitMask
	runAll(t, []stimulus{
		{name: "unmasked from a client", frames: frames(octets("hi", 0x81, 2)), want: want("fail 1002")},
		{name: "unmasked empty ping from a client", frames: frames(octets("", 0x89, 0)), want: want("fail 1002")},
		{
			name: "masked from a server", cfg: Config{Client: true},
			frames: frames(octets("hi", 0x81, 2), fin(OpText, "hi")), want: want(`text "hi"`, "fail 1002"),
		},
		{
			name: "server to client", cfg: Config{Client: true},
			frames: frames(octets("a", 0x01, 1), octets("p", 0x89, 1), octets("b", 0x80, 1), octets("\x03\xE8bye", 0x88, 5)),
			want:   want(`ping "p"`, `text "ab"`, `close 1000 "bye"`),
		},
		{
			name: "server to client, invalid text", cfg: Config{Client: true},
			frames: frames(octets("\xFF", 0x81, 1)), want: want("fail 1007"),
		},
		{name: "0 in 16 bits", frames: frames(octets("", 0x82, masked|126, 0, 0, 1, 2, 3, 4)), want: want("fail 1002")},
		{name: "125 in 16 bits", frames: frames(octets("", 0x82, masked|126, 0, 125)), want: want("fail 1002")},
		{name: "65535 in 64 bits", frames: frames(octets("", 0x82, masked|127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF)), want: want("fail 1002")},
		{name: "5 in 64 bits", frames: frames(octets("", 0x82, masked|127, 0, 0, 0, 0, 0, 0, 0, 5)), want: want("fail 1002")},
		{name: "top bit", frames: frames(octets("", 0x82, masked|127, 0x80, 0, 0, 0, 0, 0, 0, 0)), want: want("fail 1002")},
		{name: "all bits", frames: frames(octets("", 0x82, masked|127, 255, 255, 255, 255, 255, 255, 255, 255)), want: want("fail 1002")},
		{name: "2^62", frames: frames(octets("", 0x82, masked|127, 0x40, 0, 0, 0, 0, 0, 0, 0)), want: want("fail 1009")},
		{name: "2^63-1", frames: frames(octets("", 0x81, masked|127, 0x7F, 255, 255, 255, 255, 255, 255, 255)), want: want("fail 1009")},
		{
			name:   "2^62 as a continuation",
			frames: frames(part(OpBinary, "a"), octets("", 0x80, masked|127, 0x40, 0, 0, 0, 0, 0, 0, 0)), want: want("fail 1009"),
		},
		{name: "ping with a 16-bit length", frames: frames(octets("", 0x89, masked|126, 0, 1)), want: want("fail 1002")},
	})
}

func TestLimit(t *testing.T) {
	ten := Config{MaxMessage: 10}
	runAll(t, []stimulus{
		{name: "at the limit", cfg: ten, frames: frames(fin(OpText, "0123456789")), want: want(`text "0123456789"`)},
		{name: "one over", cfg: ten, frames: frames(fin(OpText, "0123456789a")), want: want("fail 1009")},
		{
			name: "sum at the limit", cfg: ten,
			frames: frames(part(OpText, "01234"), part(OpContinuation, "5678"), fin(OpContinuation, "9")), want: want(`text "0123456789"`),
		},
		{
			name: "sum one over", cfg: ten,
			frames: frames(part(OpText, "01234"), part(OpContinuation, "5678"), fin(OpContinuation, "9a")), want: want("fail 1009"),
		},
		{
			name: "every message anew", cfg: ten,
			frames: frames(fin(OpText, "0123456"), fin(OpText, "0123456"), part(OpText, "0123456"), fin(OpContinuation, ""), fin(OpText, "0123456")),
			want:   want(`text "0123456"`, `text "0123456"`, `text "0123456"`, `text "0123456"`),
		},
		{
			name: "not for control frames", cfg: ten,
			frames: frames(part(OpText, "0123456789"), fin(OpPing, "longer than the limit"), fin(OpContinuation, "")),
			want:   want(`ping "longer than the limit"`, `text "0123456789"`),
		},
		{name: "default", frames: frames(fin(OpBinary, strings.Repeat("x", DefaultMaxMessage+1))), want: want("fail 1009")},
	})
}

// The header alone must refuse: the payload may never come.
func TestFailsFromTheHeader(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header []byte
		at     int
	}{
		"reserved bit":       {[]byte{0x91}, 1},
		"reserved opcode":    {[]byte{0x83}, 1},
		"stray continuation": {[]byte{0x80}, 1},
		"fragmented ping":    {[]byte{0x09}, 1},
		"unmasked":           {[]byte{0x81, 0x05}, 2},
		"long ping":          {[]byte{0x89, 0xFE}, 2},
		"over the limit":     {[]byte{0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 1}, 10},
		"over by 16 bits":    {[]byte{0x82, 0xFE, 0xFF, 0xFF}, 0},
	} {
		if at := failsAt(chop(c.header, 1)); at != c.at {
			t.Errorf("%s: fails after %d octets, want %d", name, at, c.at)
		}
	}
}

func TestProtocolError(t *testing.T) {
	t.Parallel()
	var r Reader
	_, _, err := r.Next(&Config{MaxMessage: 3}, false, fin(OpText, "four"))
	var got *ProtocolError
	if !errors.As(err, &got) || got.Code != CloseTooBig || got.Text != "message over 3 bytes" {
		t.Fatalf("error %v", err)
	}
	if got.Error() != "socket: message over 3 bytes (1009)" {
		t.Errorf("Error() = %q", got.Error())
	}
}

func TestNothingAfterAnError(t *testing.T) {
	t.Parallel()
	for _, first := range [][]byte{fin(3, ""), chop(fin(3, ""), 1)[0], closing(1000, "")} {
		var r Reader
		_, _, _ = r.Next(&Config{}, false, first)
		ev, rest, err := r.Next(&Config{}, false, fin(OpText, "ignored"))
		if ev.Kind != None || len(rest) != 0 || err != nil {
			t.Errorf("after %x: %v, %d octets left, %v", first, describe(ev), len(rest), err)
		}
		if r.Incomplete() {
			t.Errorf("after %x: still incomplete", first)
		}
	}
}

func TestWholeFramesAreNotCopied(t *testing.T) {
	t.Parallel()
	for _, frame := range [][]byte{fin(OpText, "hello"), fin(OpBinary, "hello"), fin(OpPing, "hello"), fin(OpPong, "hello")} {
		var r Reader
		ev, _, err := r.Next(&Config{}, false, frame)
		if err != nil || ev.Owned || &ev.Data[0] != &frame[6] {
			t.Errorf("%s: owned %v, error %v", describe(ev), ev.Owned, err)
		}
		if cap(ev.Data) != len(ev.Data) {
			t.Errorf("%s: appending to it would overwrite the input", describe(ev))
		}
	}
}

func TestCutFramesAreOwned(t *testing.T) {
	t.Parallel()
	for _, frame := range [][]byte{fin(OpText, "hello"), fin(OpPing, "hello"), closing(1000, "bye")} {
		var r Reader
		cfg := &Config{}
		if ev, _, err := r.Next(cfg, false, frame[:7]); ev.Kind != None || err != nil {
			t.Fatalf("%s, %v", describe(ev), err)
		}
		ev, _, err := r.Next(cfg, false, frame[7:])
		if err != nil || !ev.Owned {
			t.Errorf("%s: owned %v, error %v", describe(ev), ev.Owned, err)
		}
	}
}

func TestIncompleteAndProgress(t *testing.T) {
	t.Parallel()
	type step struct {
		in         []byte
		kind       EventKind
		fragments  int
		incomplete bool
	}
	frame, ping := fin(OpContinuation, "end"), fin(OpPing, "p")
	var r Reader
	for i, s := range []step{
		{nil, None, 0, false},
		{part(OpText, "begin"), None, 1, true},
		{part(OpContinuation, ""), None, 1, true},
		{ping[:3], None, 0, true},
		{ping[3:], Ping, 0, true},
		{frame[:1], None, 0, true},
		{frame[1:8], None, 0, true},
		{frame[8:], Message, 0, false},
		{slices.Concat(part(OpText, "a"), frame[:4]), None, 1, true},
		{frame[4:], Message, 0, false},
		{ping[:1], None, 0, true},
		{ping[1:], Ping, 0, false},
		{fin(OpText, "whole"), Message, 0, false},
		{slices.Concat(part(OpText, ""), part(OpContinuation, "x"), ping), Ping, 2, true},
		{slices.Concat(part(OpContinuation, ""), part(OpContinuation, ""), frame), Message, 2, false},
	} {
		ev, _, err := r.Next(&Config{}, false, slices.Clone(s.in))
		if err != nil || ev.Kind != s.kind || ev.Fragments != s.fragments || ev.Progress() != (s.kind != None || s.fragments > 0) || r.Incomplete() != s.incomplete {
			t.Fatalf("step %d: kind %d fragments %d progress %v incomplete %v error %v", i, ev.Kind, ev.Fragments, ev.Progress(), r.Incomplete(), err)
		}
	}
}

func TestMemoryGrowsWithWhatArrived(t *testing.T) {
	t.Parallel()
	const declared = 60_000
	frame := fin(OpBinary, strings.Repeat("x", declared))
	header := len(frame) - declared
	var r Reader
	for i := range frame {
		if _, _, err := r.Next(&Config{}, false, slices.Clone(frame[i:i+1])); err != nil {
			t.Fatal(err)
		}
		arrived := i + 1 - header
		if r.p == nil || arrived < 1 {
			continue
		}
		if size := cap(r.p.data); size > 2*arrived+arrived/4 || size > declared+declared/8 { // see newBuffer
			t.Fatalf("%d bytes held for %d that arrived", size, arrived)
		}
	}
	if r.Incomplete() {
		t.Error("the frame did not end")
	}
}

func TestEmptyFragmentsCostNoMemory(t *testing.T) {
	var r Reader
	cfg := &Config{}
	if _, _, err := r.Next(cfg, false, part(OpText, "")); err != nil {
		t.Fatal(err)
	}
	empty := bytes.Repeat(part(OpContinuation, ""), 1000)
	allocs := testing.AllocsPerRun(1000, func() {
		if _, rest, err := r.Next(cfg, false, empty); err != nil || len(rest) != 0 {
			t.Fatal(err)
		}
	})
	if allocs != 0 || cap(r.p.data) != 0 {
		t.Errorf("%v allocations, %d octets held", allocs, cap(r.p.data))
	}
	ev, _, err := r.Next(cfg, false, fin(OpContinuation, "end"))
	if got := describe(ev); got != `text "end"` || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestSmallMessagesDoNotAllocate(t *testing.T) {
	var r Reader
	cfg, frame := &Config{}, fin(OpText, "a small message")
	in := make([]byte, len(frame))
	allocs := testing.AllocsPerRun(1000, func() {
		copy(in, frame)
		if ev, _, err := r.Next(cfg, false, in); err != nil || ev.Kind != Message {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// FuzzReader: however the input is cut, the same events come of it, those of a slow and simple reader,
// and no more memory is held than twice what arrived.
func FuzzReader(f *testing.F) {
	f.Add([]byte{3, 1, 200}, false, true, fin(OpText, "hello"))
	f.Add([]byte{1}, false, false, slices.Concat(part(OpText, "€"), fin(OpPing, "p"), fin(OpContinuation, "\xE2\x82\xAC"), closing(1000, "bye")))
	f.Add([]byte{7}, true, false, octets("hi", 0x81, 2))
	f.Add([]byte{2, 5}, false, true, AppendMaskedDeflatedFrame(nil, OpText, bytes.Repeat([]byte("deflate"), 100), testMask))
	f.Add([]byte{}, false, false, octets("", 0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0))
	f.Add([]byte{0}, false, false, fin(OpText, "\xED\xA0\x80"))
	f.Fuzz(func(t *testing.T, cuts []byte, client, deflate bool, in []byte) {
		cfg := Config{Client: client, MaxMessage: 2000}
		whole := feedBounded(t, cfg, deflate, [][]byte{in})
		slow := reference{cfg: cfg, deflate: deflate}
		if want := slow.read(in); !slow.matches(whole) {
			t.Fatalf("%x: got %q, want %q", in, whole, want)
		}
		var chunks [][]byte
		rest := in
		for i := 0; len(rest) > 0; i++ {
			n := 1
			if len(cuts) > 0 {
				n = min(int(cuts[i%len(cuts)])+1, len(rest))
			}
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		if chopped := feedBounded(t, cfg, deflate, chunks); !slices.Equal(whole, chopped) {
			t.Fatalf("whole %q, chopped %q", whole, chopped)
		}
	})
}

func feedBounded(t *testing.T, cfg Config, deflate bool, chunks [][]byte) (got []string) {
	t.Helper()
	var r Reader
	arrived := 0
	for _, chunk := range chunks {
		arrived += len(chunk)
		for in := slices.Clone(chunk); ; {
			ev, rest, err := r.Next(&cfg, deflate, in)
			if err != nil {
				got = append(got, "fail "+failCode(t, err))
				break
			}
			if r.p != nil && cap(r.p.data)+cap(r.p.control) > 2*arrived+64 {
				t.Fatalf("%d octets held for %d that arrived", cap(r.p.data), arrived)
			}
			if ev.Kind == None {
				break
			}
			got = append(got, fmt.Sprintf("%s %x", describe(ev), ev.Data))
			in = rest
		}
	}
	return got
}

func BenchmarkNextSmallText(b *testing.B) {
	var r Reader
	cfg, frame := &Config{}, fin(OpText, `{"action":"subscribe","topic":"order:123","ref":1}`)
	in := make([]byte, len(frame))
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		copy(in, frame)
		if ev, _, err := r.Next(cfg, false, in); err != nil || ev.Kind != Message {
			b.Fatal(err)
		}
	}
}

func BenchmarkNextCutInTwo(b *testing.B) {
	var r Reader
	cfg, frame := &Config{}, fin(OpText, `{"action":"subscribe","topic":"order:123","ref":1}`)
	in := make([]byte, len(frame))
	b.ReportAllocs()
	for b.Loop() {
		copy(in, frame)
		_, _, _ = r.Next(cfg, false, in[:20])
		if ev, _, err := r.Next(cfg, false, in[20:]); err != nil || ev.Kind != Message {
			b.Fatal(err)
		}
	}
}
