package realtime

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/origin"
)

// Transport is an application's own way to a client, in place of a WebSocket; see
// Service.Connect. A panic of one of its methods ends its connection alone.
type Transport interface {
	// Send sends a text to the client: a message of the application's, or one of the
	// frames of the protocol, such as $connected. It is called by one goroutine at a
	// time and may block; what is sent meanwhile waits, up to Limits.Backlog. The text
	// belongs to the callee, which may keep it and change it. It gets the bytes of
	// Conn.WriteBinary, too. An error ends the connection.
	//
	// Every Options.PingInterval it is given {"type":"$ping"}, so that whatever stands
	// between does not take the connection for idle, and a client that is gone is
	// noticed: when Send has not returned Options.PongTimeout later, the connection
	// ends with 4012.
	Send(text []byte) error
	// Close tells the client that the connection has ended. It is called once, last:
	// behind everything that was sent, or while a Send is still blocked when the
	// connection is cut. Code is a CloseCode, or 1006 where the connection broke.
	Close(code uint16, reason string) error
}

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
		a.clientKey = origin.ClientKey(opts.Address)
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
