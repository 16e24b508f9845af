package engine

import (
	"net"
	"time"

	"boundary-app.org/realtime/bus"
)

// Transport is an application's own way to a client, in place of a WebSocket. The
// engine keeps the contract of the Transport in package realtime.
type Transport interface {
	Send(text []byte) error
	Close(code uint16, reason string) error
}

// Spec says who connects, and over what: exactly one of Conn and Transport.
//
// User and Roles are kept as they are for as long as the groups exist; they
// should not be pieces of large strings. Roles must not repeat.
type Spec struct {
	User    string
	Roles   []string
	Source  string    // of the network; connections without one are not capped by it
	Expires time.Time // zero: never
	Handler Handler

	Conn     net.Conn
	Prelude  []byte // written first, before any frame
	Buffered []byte // read already
	Deflate  bool
	TextPing bool

	Transport Transport
}

// Register makes c, a zero Conn, a connection: it is found and sent to from now
// on, but what is sent is held back until Open. The engine owns spec.Conn from
// here on, unless Register refuses with ErrFull, ErrUserFull or ErrSourceFull.
// Where the Caps evict, c takes the place of an open connection at Open only.
// It may wait for the loops; it must not be called by a loop.
func (e *Engine) Register(c *Conn, spec Spec) error {
	caps := e.limits.Load().Caps // the same for all steps
	e.prepare(c, spec)
	if err := e.reserve(c, &spec, caps); err != nil {
		return err
	}
	c.evicts(&spec, caps)
	e.attach(c, &spec, caps)
	e.makeRoom(c, spec.source(), caps.PerSource, optEvictSource)
	e.makeRoom(c, spec.user(), caps.PerUser, optEvictUser)
	return nil
}

func (e *Engine) attach(c *Conn, spec *Spec, caps Caps) {
	arrived := task{run: (*shard).attach, conn: c, arg: &arrival{spec.Prelude, spec.Buffered}}
	if spec.Transport != nil {
		c.blocking = newBlockingConn(&transportLink{engine: e, transport: spec.Transport})
		c.options |= optTransport
	} else if fd, ok := c.shard.adopt(spec.Conn); ok {
		c.fd = int32(fd)
	} else {
		c.blocking = newBlockingConn(&netLink{conn: spec.Conn, fd: c.shard.below(spec.Conn)})
	}
	e.count.Add(1)
	e.sockets.Add(1)
	e.metrics.Connections.Inc()
	e.metrics.Connects.Inc()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shard.post(arrived)
	e.index.add(c)
	room := 3 + len(spec.Roles) // for one topic
	if spec.Source != "" {
		room++
	}
	c.groups = make([]membership, 0, room)
	c.enter(key{route: bus.Everyone}, 0, nil)
	c.enter(spec.user(), caps.ofUser(), nil)
	if spec.Source != "" {
		c.enter(spec.source(), caps.ofSource(), nil)
	}
	for _, role := range spec.Roles {
		c.enter(key{bus.Role, role}, 0, nil)
	}
}

func (e *Engine) prepare(c *Conn, spec Spec) {
	c.shard = e.shards[e.next.Add(1)%uint32(len(e.shards))]
	c.handler = spec.Handler
	c.id = e.ids.next()
	c.created = e.tickAt(time.Now())
	c.credited = c.created
	c.expires = e.deadline(c, spec.Expires)
	c.fd = -1
	c.credit = float32(e.limits.Load().Burst)
	if spec.Deflate {
		c.options |= optDeflate
	}
	if spec.TextPing {
		c.options |= optTextPing
	}
	c.holdCalls()
}
