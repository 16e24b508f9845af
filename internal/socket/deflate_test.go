package socket

import (
	"bytes"
	stdflate "compress/flate"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// packed compresses with the standard library, an implementation other than ours.
func packed(t testing.TB, text string) string {
	t.Helper()
	var out bytes.Buffer
	w, err := stdflate.NewWriter(&out, 9)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out.String(), flushTail)
}

func noise(n int) []byte {
	random := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	_, _ = random.Read(b)
	return b
}

func jsonText(n int) string {
	var s strings.Builder
	for i := 0; s.Len() < n; i++ {
		fmt.Fprintf(&s, `{"type":"order-updated","payload":{"order":%d,"state":"sent","total":%d.50}},`, i, i*7)
	}
	return s.String()[:n]
}

// compressed builds a compressed client frame; more says that fragments follow.
func compressed(op Opcode, payload string, more bool) []byte {
	first := bitFIN | bitRSV1 | byte(op)
	if more {
		first &^= bitFIN
	}
	return raw(first, []byte(payload))
}

// The compressed forms of "Hello" in RFC 7692 section 7.2.3.
var helloForms = map[string]string{
	"one block":      "\xF2\x48\xCD\xC9\xC9\x07\x00",
	"no compression": "\x00\x05\x00\xFA\xFF\x48\x65\x6C\x6C\x6F\x00",
	"final bit":      "\xF3\x48\xCD\xC9\xC9\x07\x00\x00",
	"two blocks":     "\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00",
}

func TestGroup12Deflate(t *testing.T) {
	table := []stimulus{
		{name: "plain message", deflate: true, frames: frames(fin(OpText, "Hello")), want: want(`text "Hello"`)},
		{name: "empty", deflate: true, frames: frames(compressed(OpText, "\x00", false)), want: want(`text ""`)},
		{
			name: "fragments", deflate: true,
			frames: frames(compressed(OpText, "\xF2\x48\xCD", true), fin(OpPing, "p"), part(OpContinuation, ""), fin(OpContinuation, "\xC9\xC9\x07\x00"), fin(OpText, "plain")),
			want:   want(`ping "p"`, `text "Hello"`, `text "plain"`),
		},
		{
			name: "then plain fragments", deflate: true,
			frames: frames(compressed(OpBinary, "\x00", true), fin(OpContinuation, ""), part(OpText, "a\xC3"), fin(OpContinuation, "\xA4")),
			want:   want(`binary ""`, `text "aä"`),
		},
		{name: "not UTF-8", deflate: true, frames: frames(compressed(OpText, packed(t, "a\xFFb"), false)), want: want("fail 1007")},
		{
			name: "binary not UTF-8", deflate: true,
			frames: frames(compressed(OpBinary, packed(t, "a\xFFb"), false)), want: want(`binary "a\xffb"`),
		},
		{
			name: "not UTF-8 in fragments", deflate: true,
			frames: frames(compressed(OpText, packed(t, "a\xFFb"), true), fin(OpContinuation, "")), want: want("fail 1007"),
		},
		{name: "corrupt", deflate: true, frames: frames(compressed(OpBinary, "\xFF\xFF\xFF", false)), want: want("fail 1007")},
		{name: "cut", deflate: true, frames: frames(compressed(OpBinary, "\xF2\x48\xCD\xC9", false)), want: want("fail 1007")},
		{
			// An empty message is one zero octet, RFC 7692 section 7.2.3.6.
			name: "without a payload", deflate: true, frames: frames(compressed(OpBinary, "", false)), want: want("fail 1007"),
		},
		{
			name: "window of another message", deflate: true,
			frames: frames(compressed(OpText, "\xF2\x48\xCD\xC9\xC9\x07\x00", false), compressed(OpText, "\xF2\x00\x11\x00\x00", false)),
			want:   want(`text "Hello"`, "fail 1007"),
		},
		{name: "not negotiated", frames: frames(compressed(OpText, "\x00", false)), want: want("fail 1002")},
	}
	for name, form := range helloForms {
		table = append(table, stimulus{
			name: "hello in " + name, deflate: true, frames: frames(compressed(OpText, form, false)), want: want(`text "Hello"`),
		})
	}
	for _, n := range []int{16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536} {
		for name, text := range map[string]string{"json": jsonText(n), "noise": string(noise(n)), "zeros": strings.Repeat("\x00", n)} {
			wanted := want(describe(Event{Kind: Message, Op: OpBinary, Data: []byte(text)}))
			form := packed(t, text)
			half := len(form) / 2
			table = append(table,
				stimulus{
					name: fmt.Sprint(name, " ", n), deflate: true, cfg: Config{},
					frames: frames(compressed(OpBinary, form, false)), want: wanted,
				},
				stimulus{
					name: fmt.Sprint(name, " fragments ", n), deflate: true,
					frames: frames(compressed(OpBinary, form[:half], true), fin(OpContinuation, form[half:])), want: wanted,
				})
		}
	}
	runAll(t, table)
}

func TestInflatedLimit(t *testing.T) {
	bomb := packed(t, strings.Repeat("\x00", 8<<20))
	at := packed(t, strings.Repeat("a", 1000))
	over := packed(t, strings.Repeat("a", 1001))
	cfg := Config{MaxMessage: 100, MaxInflated: 1000}
	zeros := describe(Event{Kind: Message, Op: OpText, Data: bytes.Repeat([]byte("a"), 1000)})
	runAll(t, []stimulus{
		{name: "bomb", deflate: true, frames: frames(compressed(OpBinary, bomb, false)), want: want("fail 1009")},
		{name: "at the limit", deflate: true, cfg: cfg, frames: frames(compressed(OpText, at, false)), want: want(zeros)},
		{name: "one over", deflate: true, cfg: cfg, frames: frames(compressed(OpText, over, false)), want: want("fail 1009")},
		{
			name: "plain has the wire's limit", deflate: true, cfg: cfg,
			frames: frames(fin(OpText, strings.Repeat("a", 101))), want: want("fail 1009"),
		},
		{
			name: "the wire's limit holds for compressed fragments", deflate: true, cfg: cfg,
			frames: frames(compressed(OpBinary, string(noise(100)), true), fin(OpContinuation, string(noise(100)))), want: want("fail 1009"),
		},
	})
}

// Not parallel: it reads what the whole process allocated.
func TestInflateBombAllocatesLittle(t *testing.T) {
	const limit, runs = 1 << 16, 20
	bomb := []byte(packed(t, strings.Repeat("\x00", 8<<20)))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		if _, err := inflate(bomb, limit); err == nil || failCode(t, err) != "1009" {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if got := (after.TotalAlloc - before.TotalAlloc) / runs; got > 3*limit {
		t.Errorf("%d octets allocated to refuse a message over %d", got, limit)
	}
}

func TestDeflatedFrame(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		payload []byte
		packed  bool
	}{
		"empty":            {nil, false},
		"under the least":  {bytes.Repeat([]byte("a"), deflateLeast-1), false},
		"at the least":     {bytes.Repeat([]byte("a"), deflateLeast), true},
		"noise":            {noise(5000), false},
		"json":             {[]byte(jsonText(5000)), true},
		"over the pool":    {[]byte(jsonText(1 << 20)), true},
		"mixed with noise": {append(noise(3000), jsonText(3000)...), true},
	} {
		frame := AppendDeflatedFrame([]byte("before"), OpBinary, c.payload)[len("before"):]
		header, size, ok := FrameLen(frame)
		if !ok || header+size != len(frame) {
			t.Fatalf("%s: not one frame", name)
		}
		if got := frame[0] == bitFIN|bitRSV1|byte(OpBinary); got != c.packed {
			t.Errorf("%s: compressed %v, want %v", name, got, c.packed)
		}
		if !c.packed {
			if !bytes.Equal(frame[header:], c.payload) {
				t.Errorf("%s: plain payload differs", name)
			}
			continue
		}
		if size >= len(c.payload) {
			t.Errorf("%s: %d octets of %d", name, size, len(c.payload))
		}
		r := stdflate.NewReader(strings.NewReader(string(frame[header:]) + inflateTail))
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, c.payload) {
			t.Errorf("%s: the standard library inflates to %d octets, %v", name, len(got), err)
		}
	}
}

func TestDeflateConcurrently(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			text := []byte(strings.Repeat(fmt.Sprintf("goroutine %d ", i), 200))
			for range 50 {
				frame := AppendMaskedDeflatedFrame(nil, OpText, text, testMask)
				var r Reader
				if ev, _, err := r.Next(&Config{}, true, frame); err != nil || !bytes.Equal(ev.Data, text) {
					t.Errorf("goroutine %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzInflate(f *testing.F) {
	for _, form := range helloForms {
		f.Add([]byte(form), 100)
	}
	f.Add([]byte(packed(f, jsonText(3000))), 2999)
	f.Add([]byte(packed(f, strings.Repeat("\x00", 1<<20))), 5000)
	f.Fuzz(func(t *testing.T, payload []byte, limit int) {
		limit = 1 + int(uint(limit)%(1<<16))
		want, code := slowInflate(payload, limit)
		out, err := inflate(payload, limit)
		if err != nil {
			if got := failCode(t, err); code == 0 || got != fmt.Sprint(code) && !isBroken(payload) {
				t.Fatalf("%x with the limit %d: %v, want %d", payload, limit, err, code)
			}
			return
		}
		if code != 0 || !bytes.Equal(out, want) || cap(out) > limit+1 {
			t.Fatalf("%x with the limit %d: %x in %d octets, want %x (%d)", payload, limit, out, cap(out), want, code)
		}
	})
}

func BenchmarkAppendDeflatedFrame(b *testing.B) {
	for _, n := range []int{200, 2000, 64000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			payload := []byte(jsonText(n))
			var dst []byte
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendDeflatedFrame(dst[:0], OpText, payload)
			}
			b.ReportMetric(float64(len(dst))/float64(n), "ratio")
		})
	}
}

// The most work a small message can make: nothing but empty last blocks.
func BenchmarkInflateFinalBlocks(b *testing.B) {
	payload := bytes.Repeat([]byte("\x03\x00"), 1<<15)
	for b.Loop() {
		if out, err := inflate(append(payload, 0), 1<<16); err != nil || len(out) != 0 {
			b.Fatal(err)
		}
	}
}

func BenchmarkInflate(b *testing.B) {
	for _, n := range []int{200, 2000, 64000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			payload := []byte(packed(b, jsonText(n)))
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := inflate(payload, 1<<16); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Every part of such a message calls its block the last one. The parts share no window.
func TestInflateSeveralFinalBlocks(t *testing.T) {
	t.Parallel()
	part := "\xF3\x48\xCD\xC9\xC9\x07\x00" // "Hello" with the final bit
	for _, n := range []int{1, 2, 50} {
		out, err := inflate([]byte(strings.Repeat(part, n)+"\x00"), 1000)
		if err != nil || string(out) != strings.Repeat("Hello", n) {
			t.Errorf("%d parts: %q, %v", n, out, err)
		}
	}
	if out, err := inflate([]byte(part), 1000); err == nil {
		t.Errorf("without the octet after the final block: %q", out)
	}
	if _, err := inflate([]byte(strings.Repeat(part, 50)+"\x00"), 249); err == nil || failCode(t, err) != "1009" {
		t.Errorf("the limit does not hold for the sum of the parts: %v", err)
	}
}
