//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/histogram"
	"boundary-app.org/realtime/bench/internal/payload"
)

// none is the sequence number of a connection that is due no message.
const none = math.MaxUint64

// Errors of a run in which the server did not deliver each message once and in
// order.
var (
	errUnexpected = errors.New("a message that is not for this connection")
	errOrder      = errors.New("lost, duplicated or out of order")
)

// counter checks and times deliveries, and acknowledges a message when it has
// arrived at every connection that it is for. It has no memory per message
// beyond those in flight.
type counter struct {
	// The plan.
	size int    // octets of a payload
	need uint32 // connections that each message is for

	// Deliveries so far.
	seen     [control.MaxInFlight]uint32 // of message seq, at seq % MaxInFlight
	complete uint64                      // messages that have arrived everywhere
	latency  histogram.Histogram

	// What makes the next delivery cheap.
	hint  int // where the payload was in the previous message
	known [control.MaxInFlight]stamp
	last  batch

	// The acknowledgements.
	acks         int // descriptor
	acknowledged uint64
}

// stamp remembers a decoded stamp: each comes once per connection.
type stamp struct {
	text [payload.StampSize]byte
	seq  uint64
	at   int64
}

// batch is what one connection received in one read: nothing but the messages
// from first up to next. Most connections receive the very same octets.
type batch struct {
	octets      []byte
	first, next uint64
	step        uint64
}

// reset begins a phase with nothing counted.
func (c *counter) reset(plan control.Plan, connections int) {
	*c = counter{acks: c.acks, hint: c.hint, last: batch{first: none}, size: max(plan.Size, payload.MinSize), need: uint32(connections)}
	if plan.Targets > 0 {
		c.need = 1
	}
}

// remember keeps the octets b, by which cn has come from first to where it is.
func (c *counter) remember(first uint64, cn *conn, b []byte) {
	c.last.octets = append(c.last.octets[:0], b...)
	c.last.first, c.last.next, c.last.step = first, cn.next, cn.step
}

// repeat counts the deliveries in b without parsing, if they are, octet for
// octet, those that were remembered, and are due at cn.
func (c *counter) repeat(cn *conn, b []byte, now int64) bool {
	last := &c.last
	if cn.next == none || cn.next != last.first || cn.step != last.step || !bytes.Equal(b, last.octets) {
		return false
	}
	for ; cn.next < last.next; cn.next += cn.step {
		slot := cn.next % control.MaxInFlight
		c.latency.Add(time.Duration(now - c.known[slot].at))
		c.seen[slot]++
	}
	c.advance()
	return true
}

// message counts the payloads in one message: one, or several where a server
// puts them together. It reports whether there was any.
func (c *counter) message(cn *conn, b []byte, now int64) (found bool, err error) {
	for {
		i := payload.Find(b, c.hint)
		if i < 0 {
			return found, nil
		}
		c.hint, found = i, true
		if err := c.delivery(cn, b[i:], now); err != nil {
			return true, err
		}
		if b = b[i+c.size:]; len(b) < payload.MinSize {
			return true, nil
		}
	}
}

func (c *counter) delivery(cn *conn, p []byte, now int64) error {
	if err := payload.Check(p, c.size); err != nil {
		return err
	}
	if cn.next == none {
		return errUnexpected
	}
	slot := cn.next % control.MaxInFlight
	known := &c.known[slot]
	if text := payload.Stamp(p); *text != known.text {
		seq, at, err := payload.Decode(text)
		if err != nil {
			return err
		}
		*known = stamp{text: *text, seq: seq, at: at}
	}
	if known.seq != cn.next {
		return fmt.Errorf("message %d came where %d was due: %w", known.seq, cn.next, errOrder)
	}
	cn.next += cn.step
	c.latency.Add(time.Duration(now - known.at))
	c.seen[slot]++
	c.advance()
	return nil
}

// advance moves complete over the messages that have arrived everywhere.
func (c *counter) advance() {
	for slot := c.complete % control.MaxInFlight; c.seen[slot] == c.need; {
		c.seen[slot] = 0
		c.complete++
		slot = c.complete % control.MaxInFlight
	}
}

// acknowledge tells the server how many messages are complete, when that has
// changed.
func (c *counter) acknowledge() error {
	if c.complete == c.acknowledged {
		return nil
	}
	c.acknowledged = c.complete
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], c.complete)
	return writeWhole(c.acks, b[:])
}
