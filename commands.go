package realtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/session"
	"boundary-app.org/realtime/wire"
)

// clientHandler is what a Conn does for the engine; it keeps those methods out
// of Conn's own.
type clientHandler Conn

// Receive takes a client's message.
func (h *clientHandler) Receive(text bool, data []byte) {
	c := (*Conn)(h)
	read := session.Read
	if !text {
		read = session.ReadBinary
	}
	_, take := c.endpoint.takes(text)
	step := read(data, take != nil)
	switch step.Kind {
	case session.Application:
		c.endpoint.onMessage(c, text, data)
		return // data is the application's
	case session.Answer:
		c.reply(step.Reply)
	case session.Execute:
		reply := c.execute(step.Command)
		reply.Ref = step.Ref
		c.reply(reply)
	}
	c.core.Recycle(data)
}

// execute carries out a client's command.
func (c *Conn) execute(command wire.Command) wire.Reply {
	switch command := command.(type) {
	case wire.Subscribe:
		return session.Subscribed(command, c.subscribeSelf(command.Topic))
	case wire.Unsubscribe:
		c.core.Unsubscribe(command.Topic)
		return wire.Reply{Topic: command.Topic}
	case wire.Refresh:
		return session.Refreshed(c.refresh(command.Token))
	}
	return session.Failed(fmt.Errorf("realtime: no way to execute a %T", command))
}

// reply answers a command.
func (c *Conn) reply(r wire.Reply) {
	if c.core.Send(r.Encode()) && r.Err != nil {
		c.endpoint.service.metrics.CommandErrors.WithLabelValues(r.Err.Code).Inc()
	}
}

// Closed is the end.
func (h *clientHandler) Closed(code uint16, reason string) {
	c := (*Conn)(h)
	c.endpoint.onClose(c, CloseCode(code), reason)
}

// topicPatience is how many subscriptions over the limit a client is told about
// before it is closed.
const topicPatience = 128

// subscribeSelf subscribes at the client's own wish.
func (c *Conn) subscribeSelf(topic string) error {
	if err := c.endpoint.authorize(c, topic); err != nil {
		return err
	}
	_, err := c.core.SubscribeSelf(topic, c.endpoint.service.Limits().Topics)
	if errors.Is(err, ErrTopicLimit) {
		if c.core.Refused() > topicPatience {
			c.Close(CloseTopicLimit, "the topic limit was reached and reached again")
		}
		return &wire.CommandError{
			Code:    wire.CodeTopicLimit,
			Message: fmt.Sprintf("at most %d topics a connection; unsubscribe from one first", c.endpoint.service.Limits().Topics),
		}
	}
	c.endpoint.service.known()
	return err
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

// refresh takes a newer token of the same user in place of the one that the
// connection was made with: its expiry, its roles and its rights count from here
// on. Topics that the client has subscribed itself to are judged again; those it
// may not hear any more end, and are returned. A token that is refused changes
// nothing.
func (c *Conn) refresh(token string) (expires time.Time, ended []string, err error) {
	e := c.endpoint
	id, err := e.verify(e.service.life.callbacks, token)
	if err == nil {
		err = e.checkIdentity(id)
	}
	if err != nil {
		return expires, nil, e.refreshRefused(err)
	}
	if id.UserID != c.UserID() {
		return expires, nil, &wire.CommandError{
			Code: wire.CodeForbidden, Message: "the token is another user's; make another connection for it",
		}
	}
	who := pack(id)
	if err := c.replace(who, time.Now()); err != nil {
		return expires, nil, err
	}
	c.core.SetRoles(who.roles())
	c.core.SetExpiry(id.ExpiresAt)
	c.closeIfRevoked(id)
	e.service.known() // what other nodes send to its roles comes here from now on
	for _, topic := range c.core.OwnTopics() {
		if e.authorize(c, topic) != nil && c.core.Unsubscribe(topic) {
			ended = append(ended, topic)
		}
	}
	return id.ExpiresAt, ended, nil
}

// refreshRefused says to the client why its token is refused, as far as it
// concerns it.
func (e *endpoint) refreshRefused(err error) error {
	why := e.refuseToken(err)
	e.service.peers.Of(kindRefresh).Debug("a refresh was refused", "reason", why.reason, "detail", why.detail)
	code := wire.CodeUnauthorized
	switch {
	case errors.Is(err, auth.ErrMissingPermissions), errors.Is(err, auth.ErrMissingRole):
		code = wire.CodeForbidden
	case errors.Is(err, auth.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		code = wire.CodeUnavailable
	case !errors.Is(err, ErrUnauthorized):
		code = wire.CodeInternal
	}
	return &wire.CommandError{Code: code, Message: why.answer.Text}
}
