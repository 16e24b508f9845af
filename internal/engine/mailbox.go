package engine

import (
	"runtime"
	"slices"

	"boundary-app.org/realtime/internal/socket"
)

// Marks at which a connection is no longer read, and read again.
const (
	mailHigh = 64
	mailLow  = 16
)

// mailbox is what waits for a connection's handler. It exists only while there
// is something to do, and with it the goroutine that does it.
type mailbox struct {
	queue []mail
	size  int
	full  bool          // the loop has been told to stop reading
	room  chan struct{} // closed when it is full no more; for who waits in Receive
}

// makeRoom wakes who waits in Receive.
func (b *mailbox) makeRoom() {
	if b.room != nil {
		close(b.room)
		b.room = nil
	}
}

// mail is one call of the handler.
type mail struct {
	data     []byte
	text     bool
	deflated bool    // data has to be inflated first
	end      *ending // the call is Closed
	then     *task   // no call, but something for the loop to do
}

// deliver puts a call into the queue and sees to it that it is made. It returns
// true when the queue is full: the loop then stops reading until resume.
func (c *Conn) deliver(m mail) (full bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended && m.end == nil {
		return false // Closed is the last call
	}
	if c.mail == nil {
		c.mail = &mailbox{}
		c.startMail()
	}
	b := c.mail
	b.queue = append(b.queue, m)
	b.size += len(m.data)
	if len(b.queue) >= mailHigh || b.size >= 2*c.shard.engine.cfg.MaxMessage {
		b.full = true
	}
	return b.full
}

// postBehindMail posts a task behind what the handler sends, and has sent, for
// the calls made so far.
func (c *Conn) postBehindMail(t task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mail == nil {
		c.shard.post(t)
		return
	}
	c.mail.queue = append(c.mail.queue, mail{then: &t})
}

// discard drops the messages that wait. Called under c.mu.
func (b *mailbox) discard() {
	b.queue = slices.DeleteFunc(b.queue, func(m mail) bool { return m.then == nil && m.end == nil })
	b.size = 0
}

// holdMail keeps the queue from being worked until releaseMail.
func (c *Conn) holdMail() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mail = &mailbox{}
}

func (c *Conn) releaseMail() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mail.queue) == 0 {
		c.mail = nil
		return
	}
	c.startMail()
}

func (c *Conn) startMail() {
	c.shard.engine.workers.Add(1)
	go c.workMail()
}

// workMail makes the calls until there are none left. A call that ends its
// goroutine (runtime.Goexit) ends the connection, and the next ones are made all
// the same: the last of them is the handler's Closed.
func (c *Conn) workMail() {
	done := false
	defer func() {
		if !done {
			c.Close(socket.CloseInternal, "internal error")
			c.startMail()
		}
		c.shard.engine.workers.Done()
	}()
	for {
		m, ok := c.nextMail()
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
			c.hand(m)
		}
	}
}

// hand gives the handler a message. One that came compressed is inflated only
// here, off the loop, so that it waits in its short form and costs no other
// connection of the shard its turn.
func (c *Conn) hand(m mail) {
	if m.deflated {
		var err error
		if m.data, err = c.inflate(m); err != nil {
			c.fail(violation(err))
			return
		}
	}
	c.handler.Receive(m.text, m.data)
}

// inflate waits for a message's turn, of which the engine gives out few at a time:
// a crowd of compressed messages is worked off one behind the other, and does not
// stand before the loops in the scheduler's queue. The connection is charged for the
// size that comes out.
func (c *Conn) inflate(m mail) ([]byte, error) {
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

func (c *Conn) nextMail() (m mail, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.mail
	if len(b.queue) == 0 {
		c.mail = nil
		return mail{}, false
	}
	m = b.queue[0]
	b.queue[0] = mail{}
	b.queue = b.queue[1:]
	b.size -= len(m.data)
	if b.full && len(b.queue) <= mailLow {
		b.full = false
		b.makeRoom()
		c.shard.post(task{run: (*shard).resume, conn: c})
	}
	return m, true
}
