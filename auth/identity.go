package auth

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"boundary-app.org/realtime/wire"
)

// Identity is the user of a token, with roles and rights. It is immutable once a
// Verifier has returned it, and so safe for concurrent use. A service keeps one for
// each connection; a service that does not need Claims keeps a copy without them.
type Identity struct {
	UserID      string
	Roles       []string
	Permissions []string
	// Topics are patterns of the topics that the client may subscribe to: an exact
	// topic, or a prefix followed by "*".
	Topics []string
	Email  string
	// TokenID is the jti claim, which identifies one token for a revocation.
	TokenID string
	// ExpiresAt is zero for an identity that does not expire, which only an
	// application's own Verifier can return.
	ExpiresAt time.Time
	IssuedAt  time.Time
	// Claims is the claim set of the token as it was sent: one JSON object.
	Claims json.RawMessage
}

// A Verifier turns a token into an identity.
//
// Verify may block until ctx is done. It must be safe for concurrent use. An error that
// matches ErrUnauthorized means that the token is refused, any other error that the
// verification could not be decided. If the error is nil, the identity is not.
type Verifier interface {
	Verify(ctx context.Context, token string) (*Identity, error)
}

// VerifierFunc makes a function a Verifier.
type VerifierFunc func(ctx context.Context, token string) (*Identity, error)

// Verify calls f.
func (f VerifierFunc) Verify(ctx context.Context, token string) (*Identity, error) {
	return f(ctx, token)
}

// Expired reports whether now has reached ExpiresAt, without any leeway.
func (id *Identity) Expired(now time.Time) bool {
	return !id.ExpiresAt.IsZero() && !now.Before(id.ExpiresAt)
}

// HasRole reports whether the identity has the role.
func (id *Identity) HasRole(role string) bool { return slices.Contains(id.Roles, role) }

// HasAnyRole reports whether the identity has at least one of roles. Without arguments
// it returns false.
func (id *Identity) HasAnyRole(roles ...string) bool {
	return slices.ContainsFunc(roles, id.HasRole)
}

// HasAllRoles reports whether the identity has every one of roles. Without arguments it
// returns true.
func (id *Identity) HasAllRoles(roles ...string) bool {
	return !slices.ContainsFunc(roles, func(role string) bool { return !id.HasRole(role) })
}

// HasPermission reports whether the identity has the permission.
func (id *Identity) HasPermission(permission string) bool {
	return slices.Contains(id.Permissions, permission)
}

// HasAnyPermission reports whether the identity has at least one of permissions.
// Without arguments it returns false.
func (id *Identity) HasAnyPermission(permissions ...string) bool {
	return slices.ContainsFunc(permissions, id.HasPermission)
}

// HasAllPermissions reports whether the identity has every one of permissions. Without
// arguments it returns true.
func (id *Identity) HasAllPermissions(permissions ...string) bool {
	return !slices.ContainsFunc(permissions, func(p string) bool { return !id.HasPermission(p) })
}

// MaySubscribe reports whether one of the patterns in Topics matches topic. The pattern
// "*" matches every topic. The caller has checked that topic is valid.
func (id *Identity) MaySubscribe(topic string) bool {
	return slices.ContainsFunc(id.Topics, func(pattern string) bool { return wire.MatchTopic(pattern, topic) })
}

// Requirements are what an identity must have to connect. The zero value requires only
// that it has not expired.
type Requirements struct {
	Permissions []string // all of these
	Roles       []string // at least one of these
}

// Check returns nil if id meets the requirements at now. Otherwise it returns the first
// of ErrExpired, ErrMissingPermissions and ErrMissingRole that applies.
func (r Requirements) Check(id *Identity, now time.Time) error {
	switch {
	case id.Expired(now):
		return ErrExpired
	case !id.HasAllPermissions(r.Permissions...):
		return ErrMissingPermissions
	case len(r.Roles) > 0 && !id.HasAnyRole(r.Roles...):
		return ErrMissingRole
	}
	return nil
}
