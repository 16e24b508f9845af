package frame_test

import (
	"bytes"
	"errors"
	"testing"

	"boundary-app.org/realtime/bench/internal/frame"
)

func TestNextReadsWhatAppendServerWrote(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 125, 126, 0xFFFF, 0x10000} {
		want := bytes.Repeat([]byte{'x'}, size)
		stream := frame.AppendServer(nil, frame.Text, want)
		stream = append(stream, "next"...)
		f, rest, ok, err := frame.Next(stream)
		if err != nil || !ok {
			t.Fatalf("size %d: ok %v, error %v", size, ok, err)
		}
		if f.Op != frame.Text || !bytes.Equal(f.Payload, want) || string(rest) != "next" {
			t.Errorf("size %d: op %#x, %d octets, rest %q", size, f.Op, len(f.Payload), rest)
		}
	}
}

func TestNextWaitsForTheWholeFrame(t *testing.T) {
	t.Parallel()
	for _, size := range []int{3, 300, 0x10000} {
		whole := frame.AppendServer(nil, frame.Binary, make([]byte, size))
		for n := range len(whole) {
			_, rest, ok, err := frame.Next(whole[:n])
			if ok || err != nil || len(rest) != n {
				t.Fatalf("size %d cut at %d: ok %v, rest %d, error %v", size, n, ok, len(rest), err)
			}
		}
	}
}

func TestNextRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in   []byte
		want error
	}{
		"masked":        {frame.AppendClient(nil, frame.Text, []byte("a")), frame.ErrMasked},
		"not final":     {[]byte{0x01, 0}, frame.ErrFragmented},
		"reserved bit":  {[]byte{0xC1, 0}, frame.ErrFragmented},
		"top bit":       {[]byte{0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, frame.ErrTooLong},
		"1 MiB and one": {[]byte{0x81, 127, 0, 0, 0, 0, 0, 0x10, 0, 1}, frame.ErrTooLong},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, _, ok, err := frame.Next(tt.in); ok || !errors.Is(err, tt.want) {
				t.Errorf("ok %v, error %v, want %v", ok, err, tt.want)
			}
		})
	}
}

func TestAppendClientMasksWithZero(t *testing.T) {
	t.Parallel()
	got := frame.AppendClient(nil, frame.Pong, []byte("ab"))
	if want := []byte{0x8A, 0x82, 0, 0, 0, 0, 'a', 'b'}; !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
}

func FuzzNext(f *testing.F) {
	f.Add(frame.AppendServer(nil, frame.Text, []byte("hello")))
	f.Add([]byte{0x81, 126, 0})
	f.Add([]byte{0x88, 2, 3, 0xE8})
	f.Fuzz(func(t *testing.T, in []byte) {
		got, rest, ok, err := frame.Next(in)
		if !ok || err != nil {
			if len(rest) != len(in) {
				t.Fatalf("nothing taken, but %d of %d octets are left", len(rest), len(in))
			}
			return
		}
		taken := len(in) - len(rest)
		if taken < 2+len(got.Payload) || taken > 10+len(got.Payload) {
			t.Fatalf("frame of %d octets took %d", len(got.Payload), taken)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	stream := frame.AppendServer(nil, frame.Text, make([]byte, 128))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok, _ := frame.Next(stream); !ok {
			b.Fatal("frame not read")
		}
	}
}
