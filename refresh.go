package realtime

import (
	"context"
	"errors"
	"time"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/wire"
)

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
	why := e.tokenRefusal(err)
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
