package session_test

import (
	"testing"

	"boundary-app.org/realtime/internal/session"
)

// What a subscribe costs until the service can act on it.
func BenchmarkParseCommand(b *testing.B) {
	data := []byte(`{"action":"subscribe","topic":"order:123","ref":1}`)
	b.ReportAllocs()
	for b.Loop() {
		session.Read(data, true)
	}
}
