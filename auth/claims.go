package auth

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"boundary-app.org/realtime/internal/strictjson"
)

// ClaimNames are the names of the claims that make an identity. An empty name means the
// default, given below.
//
// A name is first looked up as it is (Auth0 uses URLs), then as a dotted path
// into nested objects: "realm_access.roles" for Keycloak.
//
// The user id is a string. An integer, such as the key of a database row, is accepted,
// too: its decimal digits are the user id, so 42 and "42" are the same user. A fraction,
// an exponent or -0 is refused, since the same number can be written in several ways.
//
// Role and Roles are read in the same way. Roles, permissions and topics are a string, or a list
// of strings; roles may also be the names of an object, where the value of a name is
// true, an object or a list. In a claim whose name (or the last of the path) is scope
// or scp, a string contains several names, separated by spaces; in other claims one.
//
// A value that is not a name, such as a number, an empty string or a string with control
// characters, grants nothing and is logged at debug; the rest of the claim counts, at
// most 512 names. The token stays valid; Requirements refuse it if they require the
// right. An email that is not a string is ignored in the same way.
type ClaimNames struct {
	UserID      string // sub
	Role        string // role
	Roles       string // roles
	Permissions string // permissions
	Topics      string // topics: patterns of topics
	Email       string // email
}

func (n ClaimNames) withDefaults() ClaimNames {
	for _, d := range []struct {
		name  *string
		usual string
	}{
		{&n.UserID, "sub"},
		{&n.Role, "role"},
		{&n.Roles, "roles"},
		{&n.Permissions, "permissions"},
		{&n.Topics, "topics"},
		{&n.Email, "email"},
	} {
		if *d.name == "" {
			*d.name = d.usual
		}
	}
	return n
}

// reads reports whether the claim with this name, or a part of it, is read.
func (n ClaimNames) reads(name string) bool {
	paths := [...]string{n.UserID, n.Role, n.Roles, n.Permissions, n.Topics, n.Email, "exp", "iat", "nbf", "iss", "aud", "jti"}
	return slices.ContainsFunc(paths[:], func(path string) bool {
		return path == name || strings.HasPrefix(path, name+".")
	})
}

// refuseClaims returns the refusal for an error of appendObject. It names a repeated
// claim only if that claim is read: any other name is content of the token.
func (n ClaimNames) refuseClaims(err error) error {
	repeated, ok := errors.AsType[*repeatedName](err)
	switch {
	case !ok:
		return refuse(ReasonMalformed, "claims: %w", err)
	case n.reads(repeated.name):
		return refuse(ReasonMalformed, "claims: %s occurs twice (RFC 7519, section 4)", repeated.name)
	}
	return refuse(ReasonMalformed, "claims: a claim that is not read occurs twice (RFC 7519, section 4)")
}

// policy holds the requirements of a claim set.
type policy struct {
	issuer   string // empty: any
	audience string // empty: any
	names    ClaimNames
	leeway   time.Duration
	log      *slog.Logger // for ignored rights
}

// identity returns the identity of a verified claim set. It checks the times first: a
// client with an expired token can get a new one.
func (p *policy) identity(claims object, raw []byte, now time.Time) (*Identity, error) {
	id := &Identity{Claims: raw}
	if err := p.readTimes(id, claims, now); err != nil {
		return nil, err
	}
	if err := p.checkIssuer(claims); err != nil {
		return nil, err
	}
	if err := p.checkAudience(claims); err != nil {
		return nil, err
	}
	if err := p.readUser(id, claims); err != nil {
		return nil, err
	}
	p.readRights(id, claims)
	return id, nil
}

func (p *policy) readTimes(id *Identity, claims object, now time.Time) (err error) {
	if id.ExpiresAt, err = date(claims, "exp", ReasonClaimExp); err != nil {
		return err
	}
	if id.ExpiresAt.IsZero() {
		return refuse(ReasonClaimExp, "exp is missing: a token must expire")
	}
	if id.Expired(now.Add(-p.leeway)) {
		return refuse(ReasonExpired, "exp is past: get a new token")
	}
	if id.IssuedAt, err = date(claims, "iat", ReasonClaimIat); err != nil {
		return err
	}
	notBefore, err := date(claims, "nbf", ReasonClaimNbf)
	if err != nil {
		return err
	}
	switch limit := now.Add(p.leeway); {
	case notBefore.After(limit):
		return refuse(ReasonNotYetValid, "nbf is in the future: compare the clocks of issuer and server")
	case id.IssuedAt.After(limit):
		return refuse(ReasonNotYetValid, "iat is in the future: compare the clocks of issuer and server")
	}
	return nil
}

func (p *policy) checkIssuer(claims object) error {
	if p.issuer == "" {
		return nil
	}
	value := claims.get("iss")
	if value == nil {
		return refuse(ReasonIssuer, "iss is missing, want %q", p.issuer)
	}
	if issuer, err := strictjson.Unquote(value); err != nil || issuer != p.issuer {
		return refuse(ReasonIssuer, "iss is not %q", p.issuer)
	}
	return nil
}

func (p *policy) checkAudience(claims object) error {
	if p.audience == "" {
		return nil
	}
	value := claims.get("aud")
	if value == nil {
		return refuse(ReasonAudience, "aud is missing, want %q", p.audience)
	}
	if audiences, err := readList(value); err != nil || !slices.Contains(audiences, p.audience) {
		return refuse(ReasonAudience, "aud does not contain %q", p.audience)
	}
	return nil
}

func (p *policy) readUser(id *Identity, claims object) error {
	value, err := find(claims, p.names.UserID)
	if err == nil && value == nil {
		return refuse(ReasonSubject, "%s is missing", p.names.UserID)
	}
	if err == nil {
		id.UserID, err = userID(value)
	}
	if err != nil {
		return refuse(ReasonSubject, "%s: %w", p.names.UserID, err)
	}
	if id.TokenID, err = optional(claims, "jti", name); err != nil {
		return refuse(ReasonClaimJti, "jti: %w", err)
	}
	return nil
}

// readRights reads roles, permissions, topics and the email. Roles of both claims count.
func (p *policy) readRights(id *Identity, claims object) {
	id.Email = p.readEmail(claims)
	id.Roles = p.granted(claims, p.names.Roles, true, checkName)
	for _, role := range p.granted(claims, p.names.Role, true, checkName) {
		if !id.HasRole(role) {
			id.Roles = append(id.Roles, role)
		}
	}
	id.Permissions = p.granted(claims, p.names.Permissions, false, checkName)
	id.Topics = p.granted(claims, p.names.Topics, false, checkPattern)
}

func (p *policy) readEmail(claims object) string {
	email, err := optional(claims, p.names.Email, strictjson.Unquote)
	if err != nil {
		p.logDropped(p.names.Email, 1, err)
	}
	return email
}

func (p *policy) granted(claims object, claim string, keyed bool, check func(string) error) []string {
	g := readGrant(claims, claim, keyed, check)
	if g.dropped > 0 {
		p.logDropped(claim, g.dropped, g.cause)
	}
	return g.names
}

// logDropped logs which right a user may lack. The cause quotes no value.
func (p *policy) logDropped(claim string, dropped int, cause error) {
	p.log.Debug("a part of a claim cannot be read and grants nothing",
		"claim", claim, "dropped", dropped, "cause", cause)
}
