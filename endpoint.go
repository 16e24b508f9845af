package realtime

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"boundary-app.org/realtime/internal/origin"
	"boundary-app.org/realtime/wire"
)

// endpoint is a way in: what all connections of one Handler, or one Connect,
// have in common.
type endpoint struct {
	service *Service
	opts    HandlerOptions
	origins origin.Pages // of a Handler
}

func (s *Service) endpoint(opts HandlerOptions) *endpoint {
	return &endpoint{service: s, opts: opts.withDefaults()}
}

func (c *Conn) connected(id *Identity) []byte {
	return wire.Connected{
		ConnectionID: c.ID(),
		UserID:       id.UserID,
		Roles:        id.Roles,
		ExpiresAt:    id.ExpiresAt,
		PingInterval: c.endpoint.service.opts.PingInterval,
	}.Encode()
}

// onOpen runs OnOpen. It returns its error where that refuses the connection, and
// logs others.
func (e *endpoint) onOpen(ctx context.Context, c *Conn) error {
	if e.opts.OnOpen == nil {
		return nil
	}
	ctx = opening{e.service.life.callbacks, ctx}
	var err error
	if panicked := e.call("OnOpen", func() { err = e.opts.OnOpen(ctx, c) }); panicked || err == nil {
		return nil
	}
	if refusedBy(err) != nil {
		return err
	}
	e.service.peers.Of(kindOpen).Error("OnOpen failed; the connection lives on", "connection", c.ID(), "error", err)
	return nil
}

// opening is the context of OnOpen: it ends with the service, as the request's
// would not, and has the values of the request. (What context.Cause says of it is
// the request's too.)
type opening struct {
	context.Context
	values context.Context
}

// Value returns the request's value.
func (o opening) Value(key any) any { return o.values.Value(key) }

// takes returns the callback that takes messages of a kind; nil: there is none.
func (e *endpoint) takes(text bool) (name string, take func(context.Context, *Conn, []byte)) {
	if !text && e.opts.OnBinary != nil {
		return "OnBinary", e.opts.OnBinary
	}
	return "OnMessage", e.opts.OnMessage
}

func (e *endpoint) onMessage(c *Conn, text bool, data []byte) {
	name, take := e.takes(text)
	if take == nil {
		return
	}
	if e.call(name, func() { take(e.service.life.callbacks, c, data) }) {
		c.Close(CloseInternalError, "internal error")
	}
}

func (e *endpoint) onClose(c *Conn, code CloseCode, reason string) {
	e.service.reportClose(c, code, reason)
	if e.opts.OnClose != nil {
		e.call("OnClose", func() { e.opts.OnClose(e.service.life.cleanup, c, code, reason) })
	}
}

// authorize decides whether a client may subscribe itself to a topic.
func (e *endpoint) authorize(c *Conn, topic string) error {
	if c.Identity().MaySubscribe(topic) {
		return nil
	}
	forbidden := &wire.CommandError{Code: wire.CodeForbidden, Message: fmt.Sprintf("you may not subscribe to %q", topic)}
	if e.opts.AuthorizeTopic == nil {
		e.service.peers.Of(kindDenied).Debug("a subscription was denied", "connection", c.ID(), "topic", topic, "error", errNotGranted)
		return forbidden
	}
	var err error
	if e.call("AuthorizeTopic", func() { err = e.opts.AuthorizeTopic(e.service.life.callbacks, c, topic) }) {
		return errPanicked
	}
	if err != nil {
		e.service.peers.Of(kindDenied).Debug("a subscription was denied", "connection", c.ID(), "topic", topic, "error", err)
		return forbidden
	}
	return nil
}

var (
	errNotGranted = errors.New("the topics claim of the token does not cover it, and there is no AuthorizeTopic")
	errPanicked   = errors.New("the application's callback panicked")
)

// call runs an application's callback. A panic is logged with its stack and
// does not leave this function. Nothing keeps runtime.Goexit in: it is logged,
// and what must happen all the same is up to the caller's deferred functions.
func (e *endpoint) call(name string, callback func()) (panicked bool) {
	returned := false
	defer func() {
		reason := recover()
		if returned {
			return
		}
		panicked = true
		e.service.metrics.CallbackPanics.Inc()
		e.service.peers.Of(kindPanic+name).Error("a callback panicked", "callback", name, "panic", panicText(reason), "stack", string(debug.Stack()))
	}()
	callback()
	returned = true
	return false
}

// panicText says what was recovered: nothing, when there was no panic.
func panicText(reason any) string {
	if reason == nil {
		return "it called runtime.Goexit, as t.FailNow does"
	}
	return fmt.Sprint(reason)
}
