package engine

import (
	"errors"
	"sync"
	"time"

	"boundary-app.org/realtime/internal/socket"
)

// Handler is what the owner of a connection does with what arrives. Its methods
// run one after the other, in order, on a goroutine that exists only while
// there is something to do; they may block, and may call anything.
type Handler interface {
	// Receive takes a message from the client. Data belongs to the callee.
	Receive(text bool, data []byte)
	// Closed is the last call, made once: the code and reason the connection
	// ended with. 1006 means that it broke without a close frame.
	Closed(code uint16, reason string)
}

// Errors of a connection's operations.
var (
	ErrClosed     = errors.New("the connection is closed")
	ErrTopicLimit = errors.New("the connection has as many topics as it may have")
)

// Conn is one connection. It is made by Engine.Register and safe for
// concurrent use.
type Conn struct {
	// static after Register
	shard   *shard
	handler Handler
	id      ID
	created tick
	options uint8

	// guarded by mu; here for want of padding elsewhere
	ended    bool
	byPeer   bool  // the peer ended it, by a close frame
	refused  uint8 // subscriptions that the client asked for, over the limit, in a row
	accepted bool  // Open was called before it ended

	// owned by the loop
	state      closeState
	flags      uint16
	slot       int32
	fd         int32 // -1: the connection is a blockingConn
	generation int32
	due        tick // of the next ping, or of the pong, or of the closing handshake
	wake       tick // when the timer of the connection fires
	credit     float32
	credited   tick
	expires    int64 // milliseconds since the engine's start, 0: never
	blocking   *blockingConn
	out        *backlog
	in         socket.Reader

	mu     sync.Mutex
	groups []membership // guarded by mu
	calls  *callQueue   // guarded by mu: nil when there is nothing to do
}

// What a connection was registered with.
const (
	optDeflate     = 1 << iota // permessage-deflate was negotiated
	optTextPing                // pings are also sent as text, as to a transport they are alone
	optTransport               // the application's own transport: no frames, no pongs
	optEvictUser               // takes the place of its user's oldest connection
	optEvictSource             // takes the place of its source's oldest connection
)

// What the loop remembers of a connection besides its state.
const (
	flagPinged    = 1 << iota // waits for a pong, or any other frame
	flagOwesPong              // has been pinged, and no pong has come since
	flagPaused                // not read, until the handler has caught up
	flagDirty                 // in the shard's list of connections to flush
	flagArmed                 // waits for the socket to become writable
	flagUnlisted              // left all lists
	flagPingWaits             // of a blockingConn: no writer has taken the ping yet
	flagRest                  // shard.rests has bytes that were read and not fed
)

// ID returns the connection's id.
func (c *Conn) ID() ID { return c.id }

// CreatedAt returns when the connection was registered. It is right for 994 days,
// after which ticks begin again.
func (c *Conn) CreatedAt() time.Time {
	e := c.shard.engine
	elapsed := e.elapsed(time.Now())
	elapsed -= int64(tick(elapsed) - c.created)
	return e.start.Add(time.Duration(elapsed) * tickLength)
}

// Open ends the time in which messages are held back: text is written first,
// unless it is nil, then what was sent to the connection meanwhile, in order.
// From here on the handler is called. Where the Caps evict, Open closes the oldest
// connections first and waits for the loops: a loop must not call it. The caller of
// Register calls it once, even when the connection has ended meanwhile.
func (c *Conn) Open(text []byte) {
	c.shard.engine.accept(c)
	opening := task{run: (*shard).open, conn: c}
	if text != nil {
		opening.msg = newMessage(socket.OpText, text, nil, time.Now())
	}
	c.shard.post(opening)
	c.releaseCalls()
}

// Send writes a text message to this connection only. It returns false when
// the connection is closed.
func (c *Conn) Send(text []byte) bool { return c.send(socket.OpText, text, nil) }

// SendBinary is Send for a binary message.
func (c *Conn) SendBinary(data []byte) bool { return c.send(socket.OpBinary, data, nil) }

func (c *Conn) send(op socket.Opcode, body, tail []byte) bool {
	if c.Ended() {
		return false
	}
	c.shard.post(task{run: (*shard).sendOne, conn: c, msg: newMessage(op, body, tail, time.Now())})
	return true
}

// Ended reports whether the connection has ended: nothing is sent to it any more.
func (c *Conn) Ended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// EndedByPeer reports whether the connection has ended with a close frame of the
// peer, which then chose the code and the reason.
func (c *Conn) EndedByPeer() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byPeer
}

// Close ends the connection: when it returns, nothing more is sent to it and no
// address finds it. What was sent before is written, then a close frame with the
// code; the peer has CloseTimeout to answer it. Close does not wait for that. It
// returns false when the connection had ended before.
func (c *Conn) Close(code uint16, reason string) bool {
	return c.close(ending{code, reason}, false)
}

// CloseNow is Close, and drops the messages that wait for the handler.
func (c *Conn) CloseNow(code uint16, reason string) bool {
	return c.close(ending{code, reason}, true)
}

func (c *Conn) close(end ending, dropCalls bool) bool {
	if !c.unregister(cause{ending: end}, dropCalls) {
		return false
	}
	c.shard.post(task{run: (*shard).closeGracefully, conn: c, arg: &end})
	return true
}

// ending is how a connection ends.
type ending struct {
	code   uint16
	reason string
}

// unregister takes the connection out of the index and calls the handler's Closed,
// behind the messages that wait for it, or in their place with dropCalls. It returns
// false when that was done before.
func (c *Conn) unregister(why cause, dropCalls bool) bool {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return false
	}
	e := c.shard.engine
	e.subscriptions.Add(-int64(c.topicCount()))
	for i := range c.groups {
		if !c.groups[i].left {
			c.leave(i) // in the order of the group's messages: none is written that was not counted
		}
	}
	c.ended, c.byPeer = true, why.byPeer
	if c.calls != nil {
		c.calls.makeRoom()
		if dropCalls {
			c.calls.discard()
		}
	}
	c.mu.Unlock()

	e.index.remove(c)
	e.count.Add(-1)
	e.metrics.Connections.Dec()
	c.shard.post(task{run: (*shard).unlisted, conn: c})
	c.queueCall(call{end: &why.ending})
	return true
}

// Handler returns the handler the connection was registered with.
func (c *Conn) Handler() Handler { return c.handler }

// TextPing reports whether the connection was registered with TextPing.
func (c *Conn) TextPing() bool { return c.options&optTextPing != 0 }
