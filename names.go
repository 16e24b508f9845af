package realtime

import (
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/wire"
)

// The types of other packages that an application meets here.
type (
	// Message is what is sent: a JSON object with a type.
	Message = wire.Message
	// Identity is who a connection speaks for.
	Identity = auth.Identity
	// TokenSource is a place in a request that may hold a token.
	TokenSource = auth.TokenSource
	// Verifier turns a token into an identity.
	Verifier = auth.Verifier
	// CloseCode is the status of a WebSocket close frame.
	CloseCode = wire.CloseCode
	// TopicRule gives topics a SlowPolicy.
	TopicRule = engine.TopicRule
	// SlowPolicy says what the service does with a topic's messages to a client
	// that does not keep up.
	SlowPolicy = engine.SlowPolicy
	// Transport is an application's own way to a client, see Service.Connect.
	Transport = engine.Transport
)

// The places in a request that may hold a token, see HandlerOptions.TokenSources.
const (
	// TokenInQuery is the query parameter HandlerOptions.TokenParam.
	TokenInQuery = auth.TokenInQuery
	// TokenInHeader is the header "Authorization: Bearer <token>".
	TokenInHeader = auth.TokenInHeader
	// TokenInSubprotocol is "Sec-WebSocket-Protocol: boundary.realtime.v1, bearer.<token>".
	TokenInSubprotocol = auth.TokenInSubprotocol
)

// What the service does with a topic's messages when a client does not keep up.
const (
	// Disconnect keeps them until Limits.Backlog is reached, and then closes the
	// connection with 4008. It is the default.
	Disconnect = engine.Disconnect
	// DropOldest drops the topic's oldest messages when Limits.Backlog is reached.
	DropOldest = engine.DropOldest
	// LatestOnly drops a message that still waits when a newer one of its topic
	// arrives: for state such as prices and positions.
	LatestOnly = engine.LatestOnly
)

// Errors that callers tell apart. Their texts say what to do.
var (
	// ErrUnauthorized matches every refusal of a token.
	ErrUnauthorized = auth.ErrUnauthorized
	// ErrInvalidTopic matches a name that is not valid for a topic.
	ErrInvalidTopic = wire.ErrInvalidTopic
	// ErrInvalidTarget matches a user id, role or connection id that is not valid.
	ErrInvalidTarget = wire.ErrInvalidTarget
	// ErrInvalidMessage matches a message that cannot be sent.
	ErrInvalidMessage = wire.ErrInvalidMessage
	// ErrTopicLimit says that a connection has as many topics as it may have.
	ErrTopicLimit = engine.ErrTopicLimit
	// ErrTooManyConnections says that Limits do not allow one more connection.
	ErrTooManyConnections = engine.ErrFull
	// ErrClosed says that the connection has ended.
	ErrClosed = engine.ErrClosed
)

// ParseMessage takes a message as JSON, validates it once, and carries its
// bytes as they are. The error matches ErrInvalidMessage.
func ParseMessage(data []byte) (Message, error) { return wire.ParseMessage(data) }
