package engine

import (
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"boundary-app.org/realtime/bus"
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
	refused  uint8 // subscriptions of the client's own, for their number
	accepted bool  // Open was called before it ended

	// owned by the loop
	state      closeState
	flags      uint16
	slot       int32
	fd         int32 // -1: the connection is a blockingConn
	generation int32
	due        tick // of the next ping, or of the pong, or of the closing handshake
	wake       tick // when the wheel looks at the connection
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

// membership says that a connection belongs to a group, and where it stands in
// its shard's list. Who joins and leaves changes the index at once; the loop
// follows when it comes to the task.
type membership struct {
	list *list
	pos  int32 // in list.members; notJoined until the loop has put it there
	left bool  // out of the index; the loop has yet to take it out of the list
	own  bool  // a topic that only the client itself has asked for
}

const notJoined = -1

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

// CreatedAt returns when the connection was registered, for as long as ticks can
// tell: for 994 days.
func (c *Conn) CreatedAt() time.Time {
	e := c.shard.engine
	elapsed := e.elapsed(time.Now())
	elapsed -= int64(tick(elapsed) - c.created)
	return e.start.Add(time.Duration(elapsed) * tickLength)
}

// Open ends the time in which messages are held back: text is written first,
// unless it is nil, then what was sent to the connection meanwhile, in order.
// From here on the handler is called. Where the Caps evict, the oldest connections
// are closed first, which waits for the loops: no loop may call it. It is called
// once, by whoever called Register, of a connection that has ended too.
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

// Subscribe adds the connection to a topic. It returns false when it was
// subscribed already. What is sent to the topic after it has returned reaches
// the connection.
func (c *Conn) Subscribe(topic string, limit int) (added bool, err error) {
	return c.subscribe(topic, limit, false)
}

// SubscribeSelf is Subscribe at the client's own wish: OwnTopics has the topic
// until somebody else subscribes the connection to it.
func (c *Conn) SubscribeSelf(topic string, limit int) (added bool, err error) {
	return c.subscribe(topic, limit, true)
}

func (c *Conn) subscribe(topic string, limit int, own bool) (added bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.at(key{bus.Topic, topic})
	switch {
	case c.ended:
		return false, ErrClosed
	case i >= 0:
		c.groups[i].own = c.groups[i].own && own
		return false, nil
	case limit > 0 && c.topicCount() >= limit:
		if own {
			c.refused = min(c.refused, math.MaxUint8-1) + 1
		}
		return false, ErrTopicLimit
	}
	c.enter(key{bus.Topic, topic}, 0, nil)
	c.groups[len(c.groups)-1].own = own
	c.refused = 0
	c.shard.engine.subscriptions.Add(1)
	return true, nil
}

// Refused returns how many subscriptions at the client's own wish were refused
// with ErrTopicLimit since the last that was not, up to 255.
func (c *Conn) Refused() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.refused)
}

// Unsubscribe removes the connection from a topic. It returns false when it was
// not subscribed.
func (c *Conn) Unsubscribe(topic string) (removed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.at(key{bus.Topic, topic})
	if i < 0 {
		return false
	}
	c.leaveTopic(i)
	return true
}

// UnsubscribeAll removes the connection from all topics and returns their number.
func (c *Conn) UnsubscribeAll() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return 0
	}
	for i := range c.groups {
		if c.groups[i].isTopic() {
			c.leaveTopic(i)
			n++
		}
	}
	return n
}

// SetRoles changes the roles that the connection is found by.
func (c *Conn) SetRoles(roles []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	for i := range c.groups {
		m := &c.groups[i]
		if g := m.list.group; g.route == bus.Role && !m.left && !slices.Contains(roles, g.name) {
			c.leave(i)
		}
	}
	for _, role := range roles {
		if k := (key{bus.Role, role}); c.at(k) < 0 {
			c.enter(k, 0, nil)
		}
	}
}

// Topics returns the topics the connection is subscribed to.
func (c *Conn) Topics() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil
	}
	names := make([]string, 0, len(c.groups))
	for _, m := range c.groups {
		if m.isTopic() {
			names = append(names, m.list.group.name)
		}
	}
	return names
}

// OwnTopics returns the topics that only the client itself has asked for.
func (c *Conn) OwnTopics() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.groups {
		if m.own && m.isTopic() {
			names = append(names, m.list.group.name)
		}
	}
	return names
}

func (m membership) isTopic() bool { return !m.left && m.list.group.route == bus.Topic }

// topicCount returns the number of topics. Called under c.mu.
func (c *Conn) topicCount() (n int) {
	for _, m := range c.groups {
		if m.isTopic() {
			n++
		}
	}
	return n
}

// at returns where a group is in c.groups, or -1. Called under c.mu.
func (c *Conn) at(k key) int {
	if c.ended {
		return -1
	}
	for i := range c.groups {
		m := &c.groups[i]
		if g := m.list.group; g.route == k.route && !m.left && g.name == k.name {
			return i
		}
	}
	return -1
}

// enter adds the connection to a group, see index.join. Called under c.mu.
func (c *Conn) enter(k key, reserved int32, replay func() []*message) {
	l := c.shard.engine.index.join(k, c, reserved, replay)
	c.groups = append(c.groups, membership{list: l, pos: notJoined})
}

// leaveTopic takes the connection out of a topic. Called under c.mu.
func (c *Conn) leaveTopic(i int) {
	c.leave(i)
	c.shard.engine.subscriptions.Add(-1)
}

// leave takes the connection out of a group. Called under c.mu.
func (c *Conn) leave(i int) {
	m := &c.groups[i]
	m.left = true
	c.shard.engine.index.leave(m.list, &task{run: (*shard).leave, conn: c, list: m.list})
}

// joined notes the place the loop has given the connection in a list. It
// returns false when the connection does not wait for one.
func (c *Conn) joined(l *list, pos int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.groups {
		if m := &c.groups[i]; m.list == l && m.pos == notJoined {
			m.pos = int32(pos)
			return true
		}
	}
	return false
}

// moved notes that a connection has a new place in a list.
func (c *Conn) moved(l *list, pos int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.groups {
		if m := &c.groups[i]; m.list == l && m.pos != notJoined {
			m.pos = pos
			return
		}
	}
}

// forget drops a membership that was left, and returns it.
func (c *Conn) forget(l *list) (m membership, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.groups {
		if m = c.groups[i]; m.list == l && m.left {
			c.groups = slices.Delete(c.groups, i, i+1)
			return m, m.pos != notJoined
		}
	}
	return m, false
}

// forgetAll drops all memberships of a connection that has ended.
func (c *Conn) forgetAll() []membership {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.groups
	c.groups = nil
	return all
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
	for _, m := range c.groups {
		if !m.left {
			e.index.leave(m.list, nil)
		}
	}
	e.subscriptions.Add(-int64(c.topicCount()))
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
	c.shard.post(task{run: (*shard).unlist, conn: c})
	c.queueCall(call{end: &why.ending})
	return true
}

// Handler returns the handler the connection was registered with.
func (c *Conn) Handler() Handler { return c.handler }

// TextPing reports whether the connection was registered with TextPing.
func (c *Conn) TextPing() bool { return c.options&optTextPing != 0 }
