package realtime

import (
	"errors"
	"fmt"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/wire"
)

// Errors that callers tell apart with errors.Is. Their texts say what to do. Those of
// Revoke are beside it.
var (
	// ErrUnauthorized matches every refusal of a token.
	ErrUnauthorized = auth.ErrUnauthorized
	// ErrInvalidTopic matches a name that is not valid for a topic.
	ErrInvalidTopic = wire.ErrInvalidTopic
	// ErrInvalidTarget matches a user id, role or connection id that is not valid.
	ErrInvalidTarget = wire.ErrInvalidTarget
	// ErrInvalidMessage matches a message that cannot be sent.
	ErrInvalidMessage = wire.ErrInvalidMessage
	// ErrTooLarge says that a message is over Limits.MessageSize. It matches
	// ErrInvalidMessage too.
	ErrTooLarge = fmt.Errorf("%w: too large", ErrInvalidMessage)
	// ErrTopicLimit says that a connection has as many topics as it may have.
	ErrTopicLimit = engine.ErrTopicLimit
	// ErrTooManyConnections says that Limits do not allow one more connection.
	ErrTooManyConnections = engine.ErrFull
	// ErrClosed says that the connection has ended.
	ErrClosed = engine.ErrClosed
	// ErrShutdown is the error of a service that has been shut down.
	ErrShutdown = errors.New("realtime: the service is shut down")
)

// CloseCode is the status of a WebSocket close frame. 4000 to 4499 ask the client to
// reconnect, 4500 to 4999 tell it to stop; see CloseCode.Valid and CloseCode.Reconnect.
type CloseCode = wire.CloseCode

// The codes that the service closes with (RFC 6455 section 7.4 up to 2999).
const (
	CloseNormal          = wire.CloseNormal          // 1000: the application closed it
	CloseProtocolError   = wire.CloseProtocolError   // 1002: broken frames
	CloseInvalidData     = wire.CloseInvalidData     // 1007: text that is not UTF-8
	CloseTooBig          = wire.CloseTooBig          // 1009: a message over Limits.MessageSize
	CloseInternalError   = wire.CloseInternalError   // 1011: a callback panicked
	CloseServiceRestart  = wire.CloseServiceRestart  // 1012: a drain, of clients without the subprotocol
	CloseTryAgain        = wire.CloseTryAgain        // 1013: the node is full, or a token cannot be verified just now
	CloseDrain           = wire.CloseDrain           // 4001: a drain
	CloseTokenExpired    = wire.CloseTokenExpired    // 4005: the token has expired
	CloseTooSlow         = wire.CloseTooSlow         // 4008: the client did not read; see Limits.Backlog
	CloseNoPong          = wire.CloseNoPong          // 4012: no answer to a ping
	CloseTooManyRequests = wire.CloseTooManyRequests // 4013: over Limits.MessageRate
	CloseBadToken        = wire.CloseBadToken        // 4500: the token was refused
	CloseBadRequest      = wire.CloseBadRequest      // 4501: there was no token, or more than one
	CloseKicked          = wire.CloseKicked          // 4503: disconnected, or the token was revoked
	CloseConnectionLimit = wire.CloseConnectionLimit // 4504: too many connections of the user or the address
	CloseTopicLimit      = wire.CloseTopicLimit      // 4505: the client went on asking for more topics
	CloseForbidden       = wire.CloseForbidden       // 4507: the identity lacks a right
)
