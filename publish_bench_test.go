package realtime_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
)

// BenchmarkPublish publishes to topics of one subscriber each, over loopback, with
// up to 64 messages on their way. The time is that of server and clients together.
func BenchmarkPublish(b *testing.B) {
	const topics, inFlight = 1_000, 64
	s, url := serveTopics(b)
	var received atomic.Int64
	arrived := make(chan struct{}, 1)
	m := realtime.Message{Type: "bench", Payload: json.RawMessage(`{"pad":"` + strings.Repeat("x", 118) + `"}`)}
	topic := func(i int) string { return fmt.Sprintf("orders:u%d", i%topics) }
	for i := range topics {
		go count(dialTopic(b, url, fmt.Sprintf("u%d", i)), &received, arrived)
	}
	publish := func(i int) {
		if receipt, err := s.PublishToTopic(b.Context(), topic(i), m); err != nil || receipt.Recipients != 1 {
			b.Fatalf("%d recipients, %v", receipt.Recipients, err)
		}
	}
	b.ReportAllocs()
	sent := int64(0)
	for i := 0; b.Loop(); i++ {
		publish(i)
		for sent++; sent-received.Load() >= inFlight; {
			<-arrived
		}
	}
	for received.Load() < sent {
		<-arrived
	}
}

// serveTopics serves clients whose topic is that of their user.
func serveTopics(b *testing.B) (s *realtime.Service, url string) {
	b.Helper()
	verifier, err := auth.New(auth.Options{HMACSecret: []byte(benchSecret)})
	if err != nil {
		b.Fatal(err)
	}
	s, err = realtime.New(realtime.Options{Verifier: verifier, PingInterval: -1})
	if err != nil {
		b.Fatal(err)
	}
	web := httptest.NewServer(s.Handler(realtime.HandlerOptions{
		OnOpen: func(_ context.Context, c *realtime.Conn) error { return c.Subscribe("orders:" + c.UserID()) },
	}))
	b.Cleanup(func() {
		web.Close()
		_ = s.Shutdown(context.Background())
	})
	return s, web.Listener.Addr().String()
}

const benchSecret = "a secret of the benchmark, long enough for HS256"

// dialTopic connects a user, and reads up to what follows $connected.
func dialTopic(b *testing.B, address, user string) *bufio.Reader {
	b.Helper()
	token, err := auth.Mint([]byte(benchSecret), map[string]any{"sub": user, "exp": 4e9})
	if err != nil {
		b.Fatal(err)
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "GET /?token=%s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", token)
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		b.Fatalf("%v, %v", answer, err)
	}
	if err := skipFrame(r); err != nil {
		b.Fatal(err)
	}
	return r
}

// skipFrame reads past a frame of up to 64 KiB.
func skipFrame(r *bufio.Reader) error {
	head, err := r.Peek(4)
	if err != nil {
		return err
	}
	size, length := 2, int(head[1])
	if length == 126 {
		size, length = 4, int(head[2])<<8|int(head[3])
	}
	_, err = r.Discard(size + length)
	return err
}

// count counts frames until the connection ends.
func count(r *bufio.Reader, received *atomic.Int64, arrived chan<- struct{}) {
	for skipFrame(r) == nil {
		received.Add(1)
		select {
		case arrived <- struct{}{}:
		default:
		}
	}
}
