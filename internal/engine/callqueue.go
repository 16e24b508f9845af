package engine

import (
	"runtime"
	"slices"

	"boundary-app.org/realtime/internal/socket"
)

// Lengths of the queue at which the loop stops reading a connection, and reads on.
const (
	queueHigh = 64
	queueLow  = 16
)

// callQueue is the calls of a connection's handler that are to be made. It exists
// only while there are some, and with it the goroutine that makes them.
type callQueue struct {
	queue []call
	size  int
	full  bool          // the loop does not read the connection
	room  chan struct{} // closed when the queue is no longer full; for callers that wait in Receive
}

// makeRoom wakes the callers that wait in Receive.
func (b *callQueue) makeRoom() {
	if b.room != nil {
		close(b.room)
		b.room = nil
	}
}

// call is a call of the handler that is to be made.
type call struct {
	data     []byte
	text     bool
	deflated bool    // data has to be inflated first
	end      *ending // the call is Closed
	then     *task   // not a call: a task to post to the loop
}

// queueCall puts a call into the queue and sees to it that it is made. It returns
// true when the queue is full: the loop then stops reading until resume.
func (c *Conn) queueCall(m call) (full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended && m.end == nil {
		return false // Closed is the last call
	}
	if c.calls == nil {
		c.calls = &callQueue{}
		c.startCalls()
	}
	b := c.calls
	b.queue = append(b.queue, m)
	b.size += len(m.data)
	if len(b.queue) >= queueHigh || b.size >= 2*c.shard.engine.cfg.MaxMessage {
		b.full = true
	}
	return b.full
}

// afterCalls posts a task to the loop once all calls that are queued now have
// returned, so that it runs behind what the handler has sent.
func (c *Conn) afterCalls(t task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.shard.post(t)
		return
	}
	c.calls.queue = append(c.calls.queue, call{then: &t})
}

// discard drops the messages that wait. Called under c.mu.
func (b *callQueue) discard() {
	b.queue = slices.DeleteFunc(b.queue, func(m call) bool { return m.then == nil && m.end == nil })
	b.size = 0
}

// holdCalls keeps the queue from being worked until releaseCalls.
func (c *Conn) holdCalls() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = &callQueue{}
}

func (c *Conn) releaseCalls() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.calls.queue) == 0 {
		c.calls = nil
		return
	}
	c.startCalls()
}

func (c *Conn) startCalls() {
	c.shard.engine.workers.Add(1)
	go c.runCalls()
}

// runCalls makes the calls until there are none left. A call that ends its
// goroutine (runtime.Goexit) ends the connection, and the next ones are made all
// the same: the last of them is the handler's Closed.
func (c *Conn) runCalls() {
	done := false
	defer func() {
		if !done {
			c.Close(socket.CloseInternal, "internal error")
			c.startCalls()
		}
		c.shard.engine.workers.Done()
	}()
	for {
		m, ok := c.nextCall()
		if !ok {
			done = true
			return
		}
		switch {
		case m.then != nil:
			c.shard.post(*m.then)
		case m.end != nil:
			c.handler.Closed(m.end.code, m.end.reason)
		default:
			c.callReceive(m)
		}
	}
}

// callReceive gives the handler a message. One that came compressed is inflated only
// here, off the loop, so that it waits in its short form and costs no other
// connection of the shard its turn.
func (c *Conn) callReceive(m call) {
	if m.deflated {
		deflated := m.data
		var err error
		if m.data, err = c.inflate(m); err != nil {
			c.fail(violation(err))
			return
		}
		socket.Recycle(deflated)
	}
	c.handler.Receive(m.text, m.data)
}

// inflate waits for a message's turn, of which the engine gives out few at a time:
// a crowd of compressed messages is worked off one behind the other, and does not
// stand before the loops in the scheduler's queue. The connection is charged for the
// size that comes out.
func (c *Conn) inflate(m call) ([]byte, error) {
	e := c.shard.engine
	runtime.Gosched() // everything else that can run goes first
	e.turns <- struct{}{}
	defer func() { <-e.turns }()
	op := socket.OpBinary
	if m.text {
		op = socket.OpText
	}
	data, err := socket.Inflate(&e.reader, op, m.data)
	if more := cost(len(data)) - costDeflated(len(m.data)); more > 0 && e.limits.Load().Rate > 0 {
		c.shard.post(task{run: (*shard).charge, conn: c, arg: more})
	}
	return data, err
}

func (c *Conn) nextCall() (m call, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.calls
	if len(b.queue) == 0 {
		c.calls = nil
		return call{}, false
	}
	m = b.queue[0]
	b.queue[0] = call{}
	b.queue = b.queue[1:]
	b.size -= len(m.data)
	if b.full && len(b.queue) <= queueLow {
		b.full = false
		b.makeRoom()
		c.shard.post(task{run: (*shard).resume, conn: c})
	}
	return m, true
}
