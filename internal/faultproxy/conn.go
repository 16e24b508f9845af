package faultproxy

import (
	"net"
	"sync"
	"time"
)

// Conn is one connection through a proxy.
type Conn struct {
	client, server *net.TCPConn

	over chan struct{} // closed when the sockets are to be closed
	done chan struct{} // closed when the sockets are closed and the pumps have ended

	mu      sync.Mutex
	ways    [2]wayState   // guarded by mu
	changed chan struct{} // guarded by mu; closed at the next change of an action
	injured Action        // guarded by mu; the newest action that is a fault
	ending  bool          // guarded by mu; over is closed
}

// wayState is what the pump of one way goes by.
type wayState struct {
	faults Faults
	action Action
	passed int64
	ended  bool // its stream has ended
}

// kernelBuffer bounds what the system buffers for the proxy, so that a stall is
// felt by the sender soon.
const kernelBuffer = 64 << 10

func newConn(client, server *net.TCPConn, plan Plan) *Conn {
	for _, socket := range []*net.TCPConn{client, server} {
		_ = socket.SetReadBuffer(kernelBuffer) // where it cannot be had, stalls are felt later
		_ = socket.SetWriteBuffer(kernelBuffer)
	}
	c := &Conn{
		client: client, server: server,
		over: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{}),
	}
	c.ways[Up].faults, c.ways[Down].faults = plan.Up, plan.Down
	return c
}

// Do does an action to some ways from now on; Cut and Reset end the connection
// and need none. It does not wait until peers have noticed. It does nothing to a
// connection that has ended.
func (c *Conn) Do(a Action, ways ...Way) {
	if c.set(a, ways) {
		c.close(a == Reset)
	}
}

func (c *Conn) set(a Action, ways []Way) (ends bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		return false
	}
	if a != Forward {
		c.injured = a
	}
	if a == Cut || a == Reset {
		return true
	}
	for _, w := range ways {
		c.ways[w].action = a
	}
	c.wake()
	return false
}

// wake tells the pumps that something has changed. Called under c.mu.
func (c *Conn) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// SetDelay changes how long each piece of a way waits, see Faults.
func (c *Conn) SetDelay(w Way, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ways[w].faults.Delay = d
}

// Fault returns the newest fault that was done to the connection, by a plan or
// by Do: Stall, Swallow, Cut or Reset. Forward: none ever was. A delay is none.
func (c *Conn) Fault() Action {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.injured
}

// Passed returns how many octets of a way have gone on to the receiver.
func (c *Conn) Passed(w Way) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ways[w].passed
}

// Done is closed when both sockets of the connection are closed.
func (c *Conn) Done() <-chan struct{} { return c.done }

// close closes both sockets, once.
func (c *Conn) close(reset bool) {
	c.mu.Lock()
	first := !c.ending
	c.ending = true
	c.mu.Unlock()
	if !first {
		return
	}
	close(c.over)
	for _, socket := range []*net.TCPConn{c.client, c.server} {
		if reset {
			_ = socket.SetLinger(0)
		}
		_ = socket.Close()
	}
}

// run copies both ways until the connection is over.
func (c *Conn) run() {
	defer close(c.done)
	var pumps sync.WaitGroup
	pumps.Go(func() { c.pump(Up, c.client, c.server) })
	pumps.Go(func() { c.pump(Down, c.server, c.client) })
	pumps.Wait()
	c.close(false)
}
