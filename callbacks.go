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
	origins origin.AllowedOrigins // of a Handler
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
	ctx = callbackContext{e.service.life.callbacks, ctx}
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

// callbackContext is the context of OnOpen: it ends with the service, as the request's
// would not, and has the values of the request. (What context.Cause says of it is
// the request's too.)
type callbackContext struct {
	context.Context
	values context.Context
}

// Value returns the request's value.
func (o callbackContext) Value(key any) any { return o.values.Value(key) }

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

// Refuse returns an error with which HandlerOptions.OnOpen refuses the connection,
// also when it is wrapped. The client is closed with the code and the reason, at
// most 123 bytes of it, and hears nothing else: no $connected, and nothing that was
// sent to it before. A code of zero is 4507, which tells the client to stop; codes
// from 4000 to 4499 and 1013 ask it to come back. A code that must not be sent (see
// CloseCode.Valid) is logged, and 1011 takes its place.
//
// OnClose runs for the connection as for any other, since OnOpen has run. Connect
// returns an error that matches the one of OnOpen, and a RefusedError. The refusal
// is counted with the reason "application".
func Refuse(code CloseCode, reason string) error {
	setDefault(&code, CloseForbidden)
	return &RefusedError{Code: code, Reason: reason}
}

// RefusedError is the error that Refuse returns.
type RefusedError struct {
	Code   CloseCode
	Reason string
}

// Error returns the code and the reason.
func (e *RefusedError) Error() string {
	if e == nil {
		return "realtime: a RefusedError that is nil"
	}
	return fmt.Sprintf("realtime: the application refuses the connection: %d %s", e.Code, e.Reason)
}

// refusedBy returns the refusal in an error; nil: it is any other error, as a
// RefusedError that is nil is.
func refusedBy(err error) *RefusedError {
	refused, _ := errors.AsType[*RefusedError](err)
	return refused
}
