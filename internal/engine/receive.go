package engine

import (
	"context"

	"boundary-app.org/realtime/internal/socket"
)

// Receive hands the handler a message that did not come over a socket of the
// engine's: it is how an application's own Transport brings what its client
// sends. While the handler is behind it waits, until ctx is done at the latest.
// The error is ErrClosed when the connection has ended.
func (c *Conn) Receive(ctx context.Context, text bool, data []byte) error {
	for {
		room, err := c.offer(call{data: data, text: text})
		if room == nil {
			return err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Recycle gives back the data of a call of the handler's Receive, to which nothing refers
// any more. It need not be called.
func (c *Conn) Recycle(data []byte) {
	if c.options&optTransport == 0 { // whose data is the application's own
		socket.Recycle(data)
	}
}

// offer queues a call of the handler, or returns what to wait for.
func (c *Conn) offer(m call) (room <-chan struct{}, err error) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	if b := c.calls; b != nil && b.full {
		defer c.mu.Unlock()
		if b.room == nil {
			b.room = make(chan struct{})
		}
		return b.room, nil
	}
	c.mu.Unlock()
	c.shard.engine.metrics.MessagesIn.Inc()
	c.queueCall(m)
	return nil, nil
}
