package realtimetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/wire"
)

// Message is a text that a client was sent.
type Message struct {
	// Type is the frame's type, empty if the text is no frame.
	Type string
	// Topic is empty unless the message was published to a topic.
	Topic     string
	Payload   json.RawMessage
	Timestamp time.Time
	// Text is the whole text, for fields of other names.
	Text []byte
	// Frame is the decoded text, such as a wire.Reply; nil if the text is no frame.
	Frame wire.Frame
}

func newMessage(text []byte) Message {
	m := Message{Text: bytes.Clone(text)}
	frame, err := wire.DecodeFrame(m.Text)
	if err != nil {
		return m // written by Conn.Write
	}
	m.Frame, m.Type = frame, frame.FrameType()
	if d, ok := frame.(wire.Delivery); ok {
		m.Topic, m.Payload, m.Timestamp = d.Topic, d.Payload, d.Timestamp
	}
	return m
}

// Recording is what a client was sent so far. The zero value is empty. Its
// methods do not block, unless they have a context.
type Recording struct {
	mu     sync.Mutex
	frames []Message     // guarded by mu
	closed *closing      // guarded by mu; nil: open
	change chan struct{} // guarded by mu; closed at the next change, if a caller waits
}

type closing struct {
	code   realtime.CloseCode
	reason string
}

// Recorder is a realtime.Transport that records what was sent. The zero value
// is ready.
type Recorder struct{ Recording }

var _ realtime.Transport = (*Recorder)(nil)

// Send records a text. It fails once the transport is closed.
func (r *Recorder) Send(text []byte) error { return r.add(text) }

// Close records how the transport was closed. Only the first call counts.
func (r *Recorder) Close(code uint16, reason string) error {
	r.end(code, reason)
	return nil
}

func (r *Recording) add(text []byte) error {
	m := newMessage(text)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed != nil {
		return fmt.Errorf("realtimetest: send after close: %w", realtime.ErrClosed)
	}
	r.frames = append(r.frames, m)
	r.wake()
	return nil
}

func (r *Recording) end(code uint16, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed == nil {
		r.closed = &closing{realtime.CloseCode(code), reason}
		r.wake()
	}
}

// wake wakes all callers that wait. Called under r.mu.
func (r *Recording) wake() {
	if r.change != nil {
		close(r.change)
		r.change = nil
	}
}

// Frames returns all that was sent, in order, the service's own frames
// ($connected, $reply, $ping, $closing) included.
func (r *Recording) Frames() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.frames)
}

// Messages returns what the application sent, in order.
func (r *Recording) Messages() []Message {
	return slices.DeleteFunc(r.Frames(), func(m Message) bool { return strings.HasPrefix(m.Type, "$") })
}

// Closing returns what the server has said before it closes, in $closing: why, and
// after which delay the client may come back.
func (r *Recording) Closing() (reason string, reconnectAfter time.Duration, ok bool) {
	for _, m := range r.Frames() {
		if f, ok := m.Frame.(wire.Closing); ok {
			return f.Reason, f.ReconnectAfter, true
		}
	}
	return "", 0, false
}

// Closed returns how the transport was closed, and whether it was.
func (r *Recording) Closed() (code realtime.CloseCode, reason string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed == nil {
		return 0, "", false
	}
	return r.closed.code, r.closed.reason, true
}

// Wait blocks until the application has sent n messages and returns all there
// are. It returns an error with what there is when ctx is done, or the transport
// closed, before.
func (r *Recording) Wait(ctx context.Context, n int) ([]Message, error) {
	var messages []Message
	err := r.until(ctx, func() bool { messages = r.Messages(); return len(messages) >= n })
	if err != nil {
		return messages, fmt.Errorf("realtimetest: %d of %d messages came: %w", len(messages), n, err)
	}
	return messages, nil
}

// WaitFrames is Wait for all frames, the service's own included.
func (r *Recording) WaitFrames(ctx context.Context, n int) ([]Message, error) {
	var frames []Message
	err := r.until(ctx, func() bool { frames = r.Frames(); return len(frames) >= n })
	if err != nil {
		return frames, fmt.Errorf("realtimetest: %d of %d frames came: %w", len(frames), n, err)
	}
	return frames, nil
}

// WaitClosed blocks until the transport is closed, or until ctx is done.
func (r *Recording) WaitClosed(ctx context.Context) (code realtime.CloseCode, reason string, err error) {
	err = r.until(ctx, func() bool { _, _, ok := r.Closed(); return ok })
	if err != nil {
		return 0, "", fmt.Errorf("realtimetest: it was not closed: %w", err)
	}
	code, reason, _ = r.Closed()
	return code, reason, nil
}

// until blocks until reached returns true. Nothing changes after the close.
func (r *Recording) until(ctx context.Context, reached func() bool) error {
	for {
		change, closed := r.next()
		switch {
		case reached():
			return nil
		case closed:
			return realtime.ErrClosed
		}
		select {
		case <-change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// next returns what the next change closes. It is asked for before looking, so
// that no change is missed.
func (r *Recording) next() (change <-chan struct{}, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.change == nil {
		r.change = make(chan struct{})
	}
	return r.change, r.closed != nil
}
