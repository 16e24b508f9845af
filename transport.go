package realtime

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/origin"
)

// ConnectOptions say who connects through an application's own transport:
// either a token for the service's Verifier, or an identity.
type ConnectOptions struct {
	Token    string
	Identity *Identity
	// Address is the client's network address, by which Limits.ConnectionsPerAddress
	// counts its connections. The zero Addr is not counted.
	Address netip.Addr
	// HandlerOptions hold for the connection, other than those that read a request:
	// TokenParam, TokenSources, TokenInMessage, AllowedOrigins and TrustedProxies.
	HandlerOptions
}

// Connect makes a connection of an application's own transport: it passes the same
// limits and checks as any other, and is found and sent to as any other. What its
// client sends is brought with Conn.Receive and Conn.ReceiveBinary; when the client is
// gone, call Conn.Close.
//
// The error matches ErrTooManyConnections, ErrUnauthorized when the token is refused,
// ErrShutdown during a drain, or the error of an OnOpen that refuses the connection
// (see Refuse). After the last, and where the token was revoked since it was checked,
// the Transport has been told to close and OnOpen has run. A Transport is needed. An
// OnOpen that ends its goroutine (runtime.Goexit) ends that of the caller; the
// connection lives on.
func (s *Service) Connect(ctx context.Context, t Transport, opts ConnectOptions) (*Conn, error) {
	if t == nil {
		return nil, errors.New("realtime: connect: there is no transport")
	}
	e := s.endpoint(opts.HandlerOptions)
	a, refused := e.admitTransport(ctx, opts)
	if refused == nil {
		c, err := e.register(ctx, a, engine.Spec{Transport: t})
		switch {
		case err == nil:
			return c, nil
		case c != nil:
			return nil, fmt.Errorf("realtime: connect: %w", err)
		}
		refused = registerRefusal(err, false)
	}
	s.metrics.Refusals.WithLabelValues(refused.reason).Inc()
	return nil, fmt.Errorf("realtime: connect: %w", refused.cause)
}

// admitTransport decides whether the client of a transport may connect.
func (e *endpoint) admitTransport(ctx context.Context, opts ConnectOptions) (a attempt, refused *refusal) {
	if opts.Address.IsValid() {
		a.address = opts.Address
		a.clientKey = origin.CountedBy(opts.Address)
	}
	refused = e.checkLimits(&a)
	switch {
	case refused != nil:
	case opts.Identity != nil:
		refused = e.admitIdentity(&a, opts.Identity)
	default:
		refused = e.admitToken(ctx, &a, opts.Token)
	}
	return a, refused
}
