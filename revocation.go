package realtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/revocation"
	"boundary-app.org/realtime/wire"
)

// Revocation says which tokens no longer count. Exactly one of User, Connection
// and TokenID is set.
type Revocation struct {
	// User revokes all tokens of a user that were issued (iat) until now, and
	// those that do not say when; all connections that the user has are closed,
	// whatever their tokens say. The clocks of issuer and service may be 30 s
	// apart, or Options.TokenLeeway if that is more: a token that is issued within
	// that time after the revocation may be refused, too.
	User string
	// Connection revokes the token that a connection was made with, and those
	// that it has refreshed it with: each by its id (jti), or where it has none by
	// its whole identity, which a Verifier of an application's own must return
	// with the same content each time.
	Connection string
	// TokenID revokes the token with this id (jti). A connection that has been
	// refreshed with another token lives on.
	TokenID string

	// Until is when the tokens have expired, so that the revocation may be
	// forgotten an hour later. (Tokens count a little longer than they say; twice
	// Options.TokenLeeway takes the place of the hour where that is more.) Default:
	// Options.TokenLifetime from now, or as far from now as the expiry of any
	// token ever was when the service accepted it, or when the tokens of the
	// connections that it closes have expired, whichever is latest. Say it for
	// identities that do not expire.
	Until time.Time
	// Reason is the text of the close frame. Default: "revoked".
	Reason string
}

// Errors of Revoke and of revoked tokens.
var (
	// ErrInvalidRevocation matches a Revocation that cannot be used.
	ErrInvalidRevocation = errors.New("invalid revocation")
	// ErrNoConnection says that no node knows the connection of a Revocation (any
	// more), and so neither its token. It matches nothing else.
	ErrNoConnection = errors.New("there is no such connection, and so its token is not known; revoke by user or token id")
	// ErrNoReply says that the node of a Revocation's connection did not reply. It
	// may have closed the connection.
	ErrNoReply = errors.New("the node of the connection did not reply; repeat the call")
	// ErrTooManyRevocations says that the service remembers as many revocations
	// as it may: 100,000.
	ErrTooManyRevocations = revocation.ErrFull
	// ErrRevoked is the refusal of a revoked token. It matches ErrUnauthorized.
	ErrRevoked = fmt.Errorf("%w: the token was revoked", auth.ErrUnauthorized)
)

// defaultRevoked is what a client is told where the application does not say more.
const defaultRevoked = "revoked"

// Revoke closes the connections whose tokens are revoked with 4503, on all nodes,
// tells how many there were, and keeps them out: until the tokens have expired,
// whoever connects with one is refused with 401, or 4500. Repeating a revocation
// extends it. It does not wait for sockets that cannot keep up. What clients had
// sent and OnMessage has not been given is dropped.
//
// Nodes keep revocations in memory: one that restarts has forgotten them, and one
// in Receipt.Missing may not know this one.
//
// The error matches ErrInvalidRevocation or ErrInvalidTarget when the call is at
// fault, ErrNoConnection when there is no such connection, and
// ErrTooManyRevocations when there is no room to keep a token out. After any other
// error, ErrNoReply among them, a part of the nodes may know of it: repeat the call.
// A revocation of a connection may have closed it before it failed; this node and the
// connection's then keep its tokens out. Repeat it by the user or the token id.
func (s *Service) Revoke(ctx context.Context, r Revocation) (Receipt, error) {
	receipt, err := s.revoke(ctx, r, time.Now())
	if err != nil {
		return Receipt{}, fmt.Errorf("realtime: revoke: %w", err)
	}
	s.log.Info("tokens were revoked", "by", r.by(), "connections", receipt.Recipients, "missing", len(receipt.Missing))
	return receipt, nil
}

func (s *Service) revoke(ctx context.Context, r Revocation, now time.Time) (receipt Receipt, err error) {
	if err := r.check(now); err != nil {
		return Receipt{}, err
	}
	cmd := s.revokeCommand(r, now)
	if err := s.beginRevocation(cmd, now); err != nil {
		return Receipt{}, err
	}
	var tokens revocation.Tokens
	var full error // no room for all tokens of a connection
	if r.Connection != "" {
		if tokens, err = s.closeConnection(ctx, r.Connection, cmd); err != nil {
			return Receipt{}, err
		}
		cmd.Keys, cmd.User, receipt.Recipients = tokens.Keys, tokens.User, 1
		ctx = context.WithoutCancel(ctx) // the connection is gone: the call cannot be repeated
		full = s.revoked.Apply(cmd, now)
	}
	if r.Until.IsZero() {
		known, missing := s.askTokens(ctx, cmd)
		tokens.Extend(known)
		cmd.Until = s.revoked.DefaultUntil(tokens, now).UnixMilli()
		receipt.Missing = missing
	}
	done, err := s.announce(ctx, Everyone(), cmd)
	receipt.Recipients += done.Recipients
	receipt.Nodes, receipt.Missing = done.Nodes, union(receipt.Missing, done.Missing)
	return receipt, errors.Join(err, full)
}

// beginRevocation remembers the keys of a command on this node, so that it knows
// them if the bus fails. A command without keys is refused where there is no room.
func (s *Service) beginRevocation(cmd revocation.Command, now time.Time) error {
	if cmd.Keys == nil && s.revoked.Full(now) {
		return ErrTooManyRevocations
	}
	return s.revoked.Apply(cmd, now)
}

func (r Revocation) check(now time.Time) error {
	given := 0
	for _, target := range []struct{ what, name string }{
		{"user id", r.User}, {"connection id", r.Connection}, {"token id", r.TokenID},
	} {
		if target.name == "" {
			continue
		}
		given++
		if err := wire.CheckTarget(target.what, target.name); err != nil {
			return err
		}
	}
	switch {
	case given != 1:
		return fmt.Errorf("%w: name one of user, connection and token id; it names %d", ErrInvalidRevocation, given)
	case !r.Until.IsZero() && !r.Until.After(now):
		return fmt.Errorf("%w: it would end in the past; leave its end out, or give a later time", ErrInvalidRevocation)
	}
	return nil
}

// by names the kind of a revocation in logs.
func (r Revocation) by() string {
	switch {
	case r.User != "":
		return "user"
	case r.Connection != "":
		return "connection"
	}
	return "token id"
}

// isRevoked reports whether an identity's token is one that was revoked.
func (s *Service) isRevoked(id *Identity) bool {
	return !s.revoked.Empty() && s.revoked.Refuses(pack(id).token(), time.Now())
}

func (s *Service) revocationCount() int { return s.revoked.Len(time.Now()) }
