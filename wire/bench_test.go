package wire_test

import (
	"encoding/json"
	"testing"

	"boundary-app.org/realtime/wire"
)

const benchPayload = `{"id":"order-12345678","total":1234.56,"currency":"EUR","lines":[{"sku":"a-1","n":2},{"sku":"b-2","n":1}],"note":"to the door"}`

func BenchmarkEncode(b *testing.B) {
	m := wire.Message{Type: "order-updated", Payload: json.RawMessage(benchPayload)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Encode(now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseMessage(b *testing.B) {
	text := []byte(`{"type":"order-updated","payload":` + benchPayload + `}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.ParseMessage(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReply(b *testing.B) {
	yes := true
	reply := wire.Reply{Ref: []byte(`1`), Topic: "order:123", Recoverable: &yes}
	b.ReportAllocs()
	for b.Loop() {
		reply.Encode()
	}
}

// A message that is built around a JSON payload costs the memory of its text.
func TestEncodeAllocatesOnce(t *testing.T) {
	skipUnderRace(t)
	m := wire.Message{Type: "order-updated", Payload: json.RawMessage(benchPayload)}
	if allocs := testing.AllocsPerRun(100, func() { _, _ = m.Encode(now) }); allocs != 1 {
		t.Errorf("%v allocations", allocs)
	}
}
