package auth

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"boundary-app.org/realtime/wire"
)

// Identity is who a connection speaks for. It is immutable once a Verifier has
// returned it, so it is safe for concurrent use. A service keeps one per
// connection: a service that does not need Claims keeps a copy without them.
type Identity struct {
	UserID      string
	Roles       []string
	Permissions []string
	// Topics are patterns of topics the token may subscribe to: an exact topic,
	// or a prefix followed by "*".
	Topics []string
	Email  string
	// TokenID is the token's jti claim, by which one token can be revoked.
	TokenID string
	// ExpiresAt is zero for an identity that does not expire, which only an
	// application's own Verifier can return.
	ExpiresAt time.Time
	IssuedAt  time.Time
	// Claims is the token's claim set as sent: one JSON object.
	Claims json.RawMessage
}

// A Verifier turns a token into an identity.
//
// Verify may block, until ctx is done at the latest; it must be safe for
// concurrent use. An error that matches ErrUnauthorized says that the token is
// refused; any other error says that it could not be decided. On a nil error
// the identity is not nil.
type Verifier interface {
	Verify(ctx context.Context, token string) (*Identity, error)
}

// VerifierFunc makes a function a Verifier.
type VerifierFunc func(ctx context.Context, token string) (*Identity, error)

// Verify calls f.
func (f VerifierFunc) Verify(ctx context.Context, token string) (*Identity, error) {
	return f(ctx, token)
}

// Expired reports whether now has reached ExpiresAt. It knows no leeway.
func (id *Identity) Expired(now time.Time) bool {
	return !id.ExpiresAt.IsZero() && !now.Before(id.ExpiresAt)
}

// HasRole reports whether the identity has the role.
func (id *Identity) HasRole(role string) bool { return slices.Contains(id.Roles, role) }

// HasAnyRole reports whether the identity has at least one of roles; false for
// none.
func (id *Identity) HasAnyRole(roles ...string) bool {
	return slices.ContainsFunc(roles, id.HasRole)
}

// HasAllRoles reports whether the identity has every one of roles; true for
// none.
func (id *Identity) HasAllRoles(roles ...string) bool {
	return !slices.ContainsFunc(roles, func(role string) bool { return !id.HasRole(role) })
}

// HasPermission reports whether the identity has the permission.
func (id *Identity) HasPermission(permission string) bool {
	return slices.Contains(id.Permissions, permission)
}

// HasAnyPermission reports whether the identity has at least one of
// permissions; false for none.
func (id *Identity) HasAnyPermission(permissions ...string) bool {
	return slices.ContainsFunc(permissions, id.HasPermission)
}

// HasAllPermissions reports whether the identity has every one of permissions;
// true for none.
func (id *Identity) HasAllPermissions(permissions ...string) bool {
	return !slices.ContainsFunc(permissions, func(p string) bool { return !id.HasPermission(p) })
}

// MaySubscribe reports whether one of the Topics patterns covers topic. The
// pattern "*" covers every topic; without patterns nothing is covered. The
// caller has checked that topic is a valid topic.
func (id *Identity) MaySubscribe(topic string) bool {
	return slices.ContainsFunc(id.Topics, func(pattern string) bool { return wire.MatchTopic(pattern, topic) })
}

// Requirements say what an identity must have to connect. The zero value asks
// only that it has not expired.
type Requirements struct {
	Permissions []string // all of them
	Roles       []string // any of them
}

// Check returns nil when id meets the requirements at now. Otherwise it returns
// the first that fails of ErrExpired, ErrMissingPermissions and ErrMissingRole.
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
