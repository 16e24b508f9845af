package socket

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// testMask is not symmetric, so that an octet unmasked at a wrong offset shows.
var testMask = [4]byte{0x5B, 0x21, 0xD7, 0x8C}

// raw builds a client's frame octet by octet as the test wants it, right or wrong.
func raw(first byte, payload []byte) []byte { return appendMasked(nil, first, payload, testMask) }

// fin and part build a last (or only) frame and a frame before others.
func fin(op Opcode, payload string) []byte { return raw(bitFIN|byte(op), []byte(payload)) }

func part(op Opcode, payload string) []byte { return raw(byte(op), []byte(payload)) }

// closing builds a close frame with a code.
func closing(code uint16, reason string) []byte {
	return fin(OpClose, string([]byte{byte(code >> 8), byte(code)})+reason)
}

// describe writes an event as text; long data by its length and ends.
func describe(ev Event) string {
	data := string(ev.Data)
	if len(data) > 200 {
		data = fmt.Sprintf("%s..%d..%s", data[:20], len(data), data[len(data)-20:])
	}
	switch ev.Kind {
	case Message:
		return fmt.Sprintf("%s %q", map[Opcode]string{OpText: "text", OpBinary: "binary"}[ev.Op], data)
	case Ping:
		return fmt.Sprintf("ping %q", data)
	case Pong:
		return fmt.Sprintf("pong %q", data)
	case Close:
		return fmt.Sprintf("close %d %q", ev.Code, data)
	}
	return "none"
}

// feed gives the chunks to a new Reader through one buffer that is scribbled over after use, as an
// event loop does, and returns what came of it. Owned data must survive the scribbling.
func feed(t *testing.T, cfg Config, deflate bool, chunks [][]byte) []string {
	t.Helper()
	var (
		r      Reader
		got    []string
		owned  []Event
		copies [][]byte
		shared = make([]byte, len(slices.MaxFunc(chunks, func(a, b []byte) int { return len(a) - len(b) })))
	)
	for _, chunk := range chunks {
		in := shared[:copy(shared, chunk)]
		for {
			ev, rest, err := r.Next(&cfg, deflate, in)
			if err != nil {
				got = append(got, "fail "+failCode(t, err))
				break
			}
			if ev.Kind == None {
				if len(rest) != 0 {
					t.Fatalf("no event with %d octets left", len(rest))
				}
				break
			}
			got = append(got, describe(ev))
			if ev.Owned {
				owned, copies = append(owned, ev), append(copies, bytes.Clone(ev.Data))
			}
			in = rest
		}
		for i := range shared {
			shared[i] = 0xEE
		}
	}
	for i, ev := range owned {
		if !bytes.Equal(ev.Data, copies[i]) {
			t.Errorf("owned data of event %d changed with the input buffer", i)
		}
	}
	return got
}

func failCode(t *testing.T, err error) string {
	t.Helper()
	var protocol *ProtocolError
	if !errors.As(err, &protocol) || protocol.Text == "" {
		t.Fatalf("error %v (%T) is not a ProtocolError with a text", err, err)
	}
	return fmt.Sprint(protocol.Code)
}

// chop cuts b into chunks of n octets.
func chop(b []byte, n int) [][]byte { return slices.Collect(slices.Chunk(b, n)) }

// stimulus is what a peer sends and what must come of it, however it is cut.
type stimulus struct {
	name    string
	frames  [][]byte
	deflate bool
	cfg     Config
	want    []string
}

func (s stimulus) run(t *testing.T) {
	t.Helper()
	t.Run(s.name, func(t *testing.T) {
		t.Parallel()
		all := slices.Concat(s.frames...)
		ways := map[string][][]byte{
			"whole": {all}, "frames": s.frames, "octets": chop(all, 1), "threes": chop(all, 3), "997": chop(all, 997),
		}
		for way, chunks := range ways {
			if got := feed(t, s.cfg, s.deflate, chunks); !slices.Equal(got, s.want) {
				t.Errorf("%s: got %q, want %q", way, got, s.want)
			}
		}
	})
}

func runAll(t *testing.T, table []stimulus) {
	t.Helper()
	t.Parallel()
	for _, s := range table {
		s.run(t)
	}
}

func frames(f ...[]byte) [][]byte { return f }

func want(events ...string) []string { return events }
