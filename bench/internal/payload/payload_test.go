package payload_test

import (
	"encoding/json"
	"errors"
	"testing"

	"boundary-app.org/realtime/bench/internal/payload"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	const seq, at = 0x0123456789abcdef, 1_777_000_000_000_000_123
	p := payload.New(seq, at, 128)
	if len(p) != 128 || !json.Valid(p) {
		t.Fatalf("%d octets, valid JSON %v: %s", len(p), json.Valid(p), p)
	}
	message := append([]byte(`{"type":"x","payload":`), p...)
	message = append(message, '}')
	i := payload.Find(message, -1)
	if i != 22 || payload.Find(message, 22) != 22 || payload.Find(message, 7) != 22 {
		t.Fatalf("found at %d, want 22", i)
	}
	gotSeq, gotAt, err := payload.Decode(payload.Stamp(message[i:]))
	if err != nil || gotSeq != seq || gotAt != at {
		t.Errorf("decoded %x, %d, error %v", gotSeq, gotAt, err)
	}
	if err := payload.Check(message[i:], 128); err != nil {
		t.Error(err)
	}
}

func TestSmallestSize(t *testing.T) {
	t.Parallel()
	if p := payload.New(1, 2, 1); len(p) != payload.MinSize || !json.Valid(p) {
		t.Errorf("%d octets, want %d: %s", len(p), payload.MinSize, p)
	}
}

func TestFindNothing(t *testing.T) {
	t.Parallel()
	whole := payload.New(1, 2, 64)
	for name, message := range map[string]string{
		"empty": "", "other": `{"type":"$connected"}`, "cut": string(whole[:payload.MinSize-1]),
	} {
		if i := payload.Find([]byte(message), 0); i != -1 {
			t.Errorf("%s: found at %d", name, i)
		}
	}
}

func TestCorruptionIsSeen(t *testing.T) {
	t.Parallel()
	p := payload.New(1, 2, 128)
	if err := payload.Check(p[:127], 128); err == nil {
		t.Error("a payload that is one octet short passed")
	}
	p[12] = 'G'
	if _, _, err := payload.Decode(payload.Stamp(p)); !errors.Is(err, payload.ErrMalformed) {
		t.Errorf("error %v, want ErrMalformed", err)
	}
}
