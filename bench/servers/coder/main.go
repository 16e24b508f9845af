// Command coder broadcasts with github.com/coder/websocket by the server of its
// chat example: a set of subscribers under a mutex, each with a buffered channel
// and a goroutine that writes.
//
// The example's buffer of 16 messages and its publish rate limit would lose
// messages here: the buffer holds 256, and there is no limit.
package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/token"
)

const (
	messageBuffer = 256
	writeTimeout  = 5 * time.Second
)

type subscriber struct {
	messages  chan []byte
	closeSlow func()
}

type chat struct {
	mu          sync.Mutex
	subscribers map[*subscriber]struct{}
}

func main() {
	c := &chat{subscribers: map[*subscriber]struct{}{}}
	control.Main(control.Target{
		Handler:     token.Protect(c),
		Connections: c.count,
		Broadcast: func(payloads [][]byte) error {
			for _, p := range payloads {
				c.publish(p)
			}
			return nil
		},
	})
}

func (c *chat) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.subscribers)
}

func (c *chat) publish(message []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range c.subscribers {
		select {
		case s.messages <- message:
		default:
			go s.closeSlow()
		}
	}
}

// ServeHTTP upgrades and writes to the connection until it ends.
func (c *chat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	// Whatever ended the loop, the connection is of no more use.
	defer func() { _ = conn.CloseNow() }()
	s := &subscriber{
		messages:  make(chan []byte, messageBuffer),
		closeSlow: func() { _ = conn.Close(websocket.StatusPolicyViolation, "too slow") },
	}
	c.add(s)
	defer c.remove(s)
	ctx := conn.CloseRead(context.Background())
	for {
		select {
		case message := <-s.messages:
			if write(ctx, conn, message) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func write(ctx context.Context, conn *websocket.Conn, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, message)
}

func (c *chat) add(s *subscriber) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subscribers[s] = struct{}{}
}

func (c *chat) remove(s *subscriber) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.subscribers, s)
}
