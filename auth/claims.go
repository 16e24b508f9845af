package auth

import (
	"slices"
	"time"
)

// ClaimNames say which claims make an identity. An empty name means the usual
// one, given below.
//
// A name is first looked up as it is (Auth0 uses URLs), then as a dotted path
// into nested objects: "realm_access.roles" for Keycloak.
type ClaimNames struct {
	UserID      string // sub
	Role        string // role: one string
	Roles       string // roles: a list of strings, or one
	Permissions string // permissions: a list of strings, or one
	Topics      string // topics: a list of patterns, or one
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

// policy is what a claim set must satisfy.
type policy struct {
	issuer   string // empty: any
	audience string // empty: any
	names    ClaimNames
	leeway   time.Duration
}

// identity makes an identity of a verified claim set. Time comes first: a client
// with an old token can help itself.
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
	if err := p.readRights(id, claims); err != nil {
		return nil, err
	}
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
	if issuer, err := plainText(value); err != nil || issuer != p.issuer {
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
	if audiences, err := readList(value, plainText); err != nil || !slices.Contains(audiences, p.audience) {
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
		id.UserID, err = name(value)
	}
	if err != nil {
		return refuse(ReasonSubject, "%s: %w", p.names.UserID, err)
	}
	if id.TokenID, err = optional(claims, "jti", ReasonClaimJti, name); err != nil {
		return err
	}
	id.Email, err = optional(claims, p.names.Email, ReasonClaims, plainText)
	return err
}

func (p *policy) readRights(id *Identity, claims object) (err error) {
	if id.Roles, err = optional(claims, p.names.Roles, ReasonClaims, listOf(name)); err != nil {
		return err
	}
	role, err := optional(claims, p.names.Role, ReasonClaims, name)
	if err != nil {
		return err
	}
	if role != "" && !id.HasRole(role) {
		id.Roles = append(id.Roles, role)
	}
	if id.Permissions, err = optional(claims, p.names.Permissions, ReasonClaims, listOf(name)); err != nil {
		return err
	}
	id.Topics, err = optional(claims, p.names.Topics, ReasonClaims, listOf(pattern))
	return err
}
