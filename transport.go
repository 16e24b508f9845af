package realtime

import (
	"context"
	"errors"
	"fmt"

	"boundary-app.org/realtime/internal/engine"
)

// ConnectOptions say who connects through an application's own transport:
// either a token for the service's Verifier, or an identity.
type ConnectOptions struct {
	Token    string
	Identity *Identity
	HandlerOptions
}

// Connect makes a connection of an application's own transport: it is found and
// sent to as any other. What its client sends is brought with Conn.Receive; when
// the client is gone, call Conn.Close. The error matches ErrUnauthorized when
// the token is refused; where it was revoked only just now, the Transport has been
// told to close, and OnOpen may have run. It matches the error of an OnOpen that
// refuses the connection (see Refuse), and the Transport has been told to close.
// A Transport is needed. An OnOpen that ends its goroutine (runtime.Goexit) ends
// that of the caller; the connection lives on.
func (s *Service) Connect(ctx context.Context, t Transport, opts ConnectOptions) (*Conn, error) {
	if t == nil {
		return nil, errors.New("realtime: connect: there is no transport")
	}
	e := s.endpoint(opts.HandlerOptions)
	id := opts.Identity
	if id == nil {
		var err error
		if id, err = e.verify(ctx, opts.Token); err != nil {
			return nil, fmt.Errorf("realtime: connect: %w", err)
		}
	} else if err := e.checkIdentity(id); err != nil {
		return nil, fmt.Errorf("realtime: connect: %w", err)
	}
	c, err := e.connect(ctx, attempt{id: id}, engine.Spec{Transport: t})
	if err == nil && s.isRevoked(id) { // since it was admitted
		c.expel(defaultRevoked)
		err = ErrRevoked
	}
	if err != nil {
		return nil, fmt.Errorf("realtime: connect: %w", err)
	}
	return c, nil
}
