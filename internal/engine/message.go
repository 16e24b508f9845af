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

func newMessage(op socket.Opcode, text []byte, now time.Time) *message {
	frame := make([]byte, 0, len(text)+10)
	return &message{frame: socket.AppendFrame(frame, op, text), op: op, sentAt: now}
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
