package engine

// Receive hands the handler a message that did not come over a socket of the
// engine's: it is how an application's own Transport brings what its client
// sends. It does not wait; it returns false when the connection has ended.
func (c *Conn) Receive(text bool, data []byte) bool {
	if c.Retired() {
		return false
	}
	c.shard.engine.metrics.MessagesIn.Inc()
	c.deliver(mail{data: data, text: text})
	return true
}
