package engine

import "context"

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
