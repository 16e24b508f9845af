package realtime

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/revocation"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// Conn is one client's connection, from before OnOpen until after OnClose.
type Conn struct {
	core     engine.Conn
	endpoint *endpoint
	who      atomic.Pointer[packedIdentity] // changes when the client refreshes its token
	earlier  atomic.Pointer[[]usedToken]    // those before; nil without a refresh
}

// ID returns the connection's id, by which every node finds it.
func (c *Conn) ID() string { return c.core.ID().String() }

// Identity returns who the connection speaks for, as a new copy: keep it where
// it is asked for often. Times have a resolution of milliseconds.
func (c *Conn) Identity() *Identity { return c.packed().unpack() }

func (c *Conn) packed() packedIdentity { return *c.who.Load() }

// UserID returns the identity's user id. It costs nothing.
func (c *Conn) UserID() string { return c.packed().user() }

// Roles returns the identity's roles.
func (c *Conn) Roles() []string { return c.packed().roles() }

// CreatedAt returns when the connection was accepted.
func (c *Conn) CreatedAt() time.Time { return c.core.CreatedAt().UTC() }

// Subscribe subscribes the connection to a topic. Idempotent. What is published
// after it has returned reaches the connection. The error matches
// ErrInvalidTopic, ErrTopicLimit or ErrClosed.
func (c *Conn) Subscribe(topic string) error {
	if err := wire.CheckTopic(topic); err != nil {
		return fmt.Errorf("realtime: subscribe: %w", err)
	}
	if _, err := c.core.Subscribe(topic, c.endpoint.service.Limits().Topics); err != nil {
		return fmt.Errorf("realtime: subscribe: %w", err)
	}
	c.endpoint.service.known()
	return nil
}

// Unsubscribe ends a subscription. Idempotent: it returns whether there was one.
func (c *Conn) Unsubscribe(topic string) bool { return c.core.Unsubscribe(topic) }

// UnsubscribeAll ends all subscriptions and returns their number.
func (c *Conn) UnsubscribeAll() int { return c.core.UnsubscribeAll() }

// Topics returns the topics the connection is subscribed to, in no order.
func (c *Conn) Topics() []string { return c.core.Topics() }

// Send sends a message to this connection only. It does not wait for the
// client. The error matches ErrInvalidMessage or ErrClosed.
func (c *Conn) Send(m Message) error {
	text, err := c.endpoint.service.encode(m, time.Now(), Address{})
	if err != nil {
		return fmt.Errorf("realtime: send: %w", err)
	}
	if !c.core.Send(text) {
		return fmt.Errorf("realtime: send: %w", ErrClosed)
	}
	return nil
}

// Write sends text as it is, as one text frame: for applications that speak a
// protocol of their own. It does not wait for the client. The error matches
// ErrInvalidMessage when text is not valid UTF-8, ErrTooLarge when it would not
// find room in Limits.Backlog, or ErrClosed.
func (c *Conn) Write(text []byte) error {
	if !utf8.Valid(text) {
		return fmt.Errorf("realtime: write: %w: it is not valid UTF-8; use WriteBinary for bytes", ErrInvalidMessage)
	}
	if err := c.fits(text); err != nil {
		return err
	}
	if !c.core.Send(text) {
		return fmt.Errorf("realtime: write: %w", ErrClosed)
	}
	return nil
}

// fits refuses what a client gets or is closed for, as fast as it happens to be.
func (c *Conn) fits(data []byte) error {
	if limit := c.endpoint.service.opts.Limits.Backlog - frameCost; len(data) > limit {
		return fmt.Errorf("realtime: write: %w: it has %d bytes, the limit is %d", ErrTooLarge, len(data), limit)
	}
	return nil
}

// WriteBinary is Write with a binary frame, and any bytes.
func (c *Conn) WriteBinary(data []byte) error {
	if err := c.fits(data); err != nil {
		return err
	}
	if !c.core.SendBinary(data) {
		return fmt.Errorf("realtime: write: %w", ErrClosed)
	}
	return nil
}

// Close ends the connection: nothing is sent to it from here on, and a close
// frame follows what was sent before. In OnOpen, when the client has not been
// told yet that it is connected, what was sent is dropped. Idempotent. A code of
// zero is 1000. 1005 and 1006, with which a Transport's owner says how its client
// went, make a close frame without a code; others that must not travel (see
// CloseCode.Valid) are sent as 1011.
func (c *Conn) Close(code CloseCode, reason string) {
	setDefault(&code, CloseNormal)
	if !code.Valid() && code != CloseCode(socket.CloseNoStatus) && code != CloseCode(socket.CloseAbnormal) {
		code = CloseInternalError
	}
	c.core.Close(uint16(code), reason)
}

// Receive brings text that the client of an application's own Transport sends. While
// OnMessage is behind it waits, until ctx is done at the latest; OnOpen and
// OnMessage themselves must not call it. Data belongs to the connection. The
// error matches ErrTooLarge or ErrClosed.
func (c *Conn) Receive(ctx context.Context, data []byte) error { return c.receive(ctx, true, data) }

// ReceiveBinary is Receive for a binary message.
func (c *Conn) ReceiveBinary(ctx context.Context, data []byte) error {
	return c.receive(ctx, false, data)
}

func (c *Conn) receive(ctx context.Context, text bool, data []byte) error {
	if limit := c.endpoint.service.opts.Limits.MessageSize; len(data) > limit {
		return fmt.Errorf("realtime: receive: %w: it has %d bytes, the limit is %d", ErrTooLarge, len(data), limit)
	}
	if err := c.core.Receive(ctx, text, data); err != nil {
		return fmt.Errorf("realtime: receive: %w", err)
	}
	return nil
}

// maxEarlier is how many tokens that have not expired a connection may have used
// besides its own.
const maxEarlier = 64

// usedToken is what is kept of a token that a connection has used: who revokes the
// connection means all of them.
type usedToken struct {
	revocation.Key
	expires time.Time // zero: never
}

func (p packedIdentity) used() usedToken { return usedToken{p.token().Key(), p.expires()} }

// tokens returns the token of a connection, first, and those it was refreshed from
// that had not expired then.
func (c *Conn) tokens() []usedToken {
	all := []usedToken{c.packed().used()} // before the others: replace stores them first
	if earlier := c.earlier.Load(); earlier != nil {
		all = append(all, *earlier...)
	}
	return all
}

// lastExpiry returns when the last of a connection's tokens expires that does.
func (c *Conn) lastExpiry() (last time.Time) {
	for _, t := range c.tokens() {
		last = revocation.Later(last, t.expires)
	}
	return last
}

// replace puts a newer token in the place of the connection's. One goroutine of
// each connection calls it. The error is the client's, or ErrClosed: who revokes a
// connection closes it first, then looks at its tokens, so that a token which came
// too late to be seen is not taken either.
func (c *Conn) replace(who packedIdentity, now time.Time) error {
	next, expired := who.used().Key, now.Add(-c.endpoint.service.revoked.Tolerance())
	earlier := slices.DeleteFunc(c.tokens(), func(t usedToken) bool {
		return t.Key == next || !t.expires.IsZero() && !t.expires.After(expired)
	})
	if len(earlier) > maxEarlier {
		return &wire.CommandError{Code: wire.CodeForbidden, Message: fmt.Sprintf(
			"%d earlier tokens of the connection have not expired, as many as may be; reconnect with the new one", maxEarlier)}
	}
	c.earlier.Store(&earlier)
	c.who.Store(&who)
	if c.core.Ended() {
		return fmt.Errorf("realtime: refresh: %w", ErrClosed)
	}
	return nil
}
