package engine

import (
	"sync"
	"time"

	"boundary-app.org/realtime/internal/socket"
)

// message is one text frame, built once for all its recipients.
type message struct {
	frame  []byte
	sentAt time.Time

	once     sync.Once
	deflated []byte // the frame for connections with permessage-deflate
	op       socket.Opcode
}

// newMessage returns the message whose text, or data, is body followed by tail.
func newMessage(op socket.Opcode, body, tail []byte, now time.Time) *message {
	size := len(body) + len(tail)
	frame := socket.AppendHeader(make([]byte, 0, size+10), op, size, false)
	frame = append(append(frame, body...), tail...)
	return &message{frame: frame, op: op, sentAt: now}
}

// frameOf returns a message's frame as a connection gets it.
func (c *Conn) frameOf(m *message) []byte {
	if c.options&optDeflate != 0 {
		return m.compressed()
	}
	return m.frame
}

// compressed returns the frame compressed, which is done once, by the first
// loop that needs it.
func (m *message) compressed() []byte {
	m.once.Do(func() {
		header, _, _ := socket.FrameLen(m.frame)
		m.deflated = socket.AppendDeflatedFrame(nil, m.op, m.frame[header:])
	})
	return m.deflated
}
