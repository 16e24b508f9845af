package faults_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"boundary-app.org/realtime"
)

// counter is a client that only counts what it is sent.
type counter struct {
	count atomic.Int64
	all   chan struct{} // closed when everything has come
	want  int64
}

func (c *counter) Send([]byte) error {
	if c.count.Add(1) == c.want {
		close(c.all)
	}
	return nil
}

func (c *counter) Close(uint16, string) error { return nil }

// What waits for the loops is worked off at a steady pace, however much it is:
// messages to several topics in turn, which cannot be joined, take about as long
// each when very many wait as when few do.
func TestFloodOfTopicsInTurn(t *testing.T) {
	const few, many = 500, 8000 // messages to each topic
	slow := flood(t, many)
	quick := flood(t, few)
	each, ratio := slow/many, float64(slow)/float64(quick)
	t.Logf("%d messages to each topic took %v, %d took %v: %v each", few, quick, many, slow, each)
	if ratio > 4*many/few {
		t.Errorf("%d times as many messages took %.0f times as long", many/few, ratio)
	}
}

// flood publishes to topics in turn, as fast as that goes, and returns how long
// it takes until all has arrived.
func flood(t *testing.T, each int) time.Duration {
	const topics = 16
	svc, err := realtime.New(realtime.Options{Shards: 1, Limits: realtime.Limits{Backlog: 16 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = svc.Shutdown(context.Background()) }()
	clients := make([]*counter, topics)
	for i := range clients {
		c := &counter{all: make(chan struct{}), want: int64(each) + 1} // and $connected
		conn, err := svc.Connect(t.Context(), c, realtime.ConnectOptions{Identity: &realtime.Identity{UserID: fmt.Sprint("u", i)}})
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Subscribe(fmt.Sprint("t", i)); err != nil {
			t.Fatal(err)
		}
		clients[i] = c
	}
	begun := time.Now()
	var publishing sync.WaitGroup
	for p := range 4 {
		publishing.Go(func() {
			for i := p; i < each*topics; i += 4 {
				if _, err := svc.PublishToTopic(t.Context(), fmt.Sprint("t", i/4%topics), realtime.Message{Type: "x"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	publishing.Wait()
	for _, c := range clients {
		eventually(t, c.all, "a flooded client to get everything")
	}
	return time.Since(begun)
}
