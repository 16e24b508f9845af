package auth

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestExpired(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		expires time.Time
		want    bool
	}{
		{"before", now.Add(time.Nanosecond), false},
		{"at", now, true},
		{"after", now.Add(-time.Nanosecond), true},
		{"never", time.Time{}, false},
	} {
		if got := (&Identity{ExpiresAt: c.expires}).Expired(now); got != c.want {
			t.Errorf("%s: Expired = %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	id := &Identity{Roles: []string{"admin", "editor"}, Permissions: []string{"read", "write"}}
	for name, c := range map[string]struct{ got, want bool }{
		"role":                       {id.HasRole("admin"), true},
		"no such role":               {id.HasRole("Admin"), false},
		"any role":                   {id.HasAnyRole("x", "editor"), true},
		"any role, none fits":        {id.HasAnyRole("x", "y"), false},
		"any of no roles":            {id.HasAnyRole(), false},
		"all roles":                  {id.HasAllRoles("editor", "admin"), true},
		"all roles but one":          {id.HasAllRoles("editor", "x"), false},
		"all of no roles":            {id.HasAllRoles(), true},
		"permission":                 {id.HasPermission("read"), true},
		"no such permission":         {id.HasPermission("admin"), false},
		"any permission":             {id.HasAnyPermission("x", "write"), true},
		"any of no permissions":      {id.HasAnyPermission(), false},
		"all permissions":            {id.HasAllPermissions("write", "read"), true},
		"all permissions but one":    {id.HasAllPermissions("write", "x"), false},
		"all of no permissions":      {id.HasAllPermissions(), true},
		"no roles, empty role":       {new(Identity).HasRole(""), false},
		"no permissions, empty one":  {new(Identity).HasPermission(""), false},
		"no topics, no subscription": {new(Identity).MaySubscribe("a"), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

func TestMaySubscribe(t *testing.T) {
	t.Parallel()
	id := &Identity{Topics: []string{"news", "order:*"}}
	for topic, want := range map[string]bool{
		"news": true, "newsletter": false, "new": false, "News": false,
		"order:1": true, "order:1:items": true, "order:": true, "order": false, "orders:1": false,
	} {
		if got := id.MaySubscribe(topic); got != want {
			t.Errorf("MaySubscribe(%q) = %v, want %v", topic, got, want)
		}
	}
	if everything := (&Identity{Topics: []string{"*"}}); !everything.MaySubscribe("a:b") {
		t.Error(`"*" does not cover "a:b"`)
	}
}

func TestRequirements(t *testing.T) {
	t.Parallel()
	r := Requirements{Permissions: []string{"read", "write"}, Roles: []string{"admin", "editor"}}
	good := Identity{Roles: []string{"editor"}, Permissions: []string{"write", "read"}, ExpiresAt: now.Add(1)}
	noPermission, noRole, old, nobody := good, good, good, Identity{ExpiresAt: now}
	noPermission.Permissions, noPermission.Roles = []string{"read"}, nil
	noRole.Roles = []string{"guest"}
	old.ExpiresAt = now
	for _, c := range []struct {
		name string
		r    Requirements
		id   Identity
		want error
		text string
	}{
		{"good", r, good, nil, ""},
		{"expired first", r, nobody, ErrExpired, "Token expired"},
		{"expired", Requirements{}, old, ErrExpired, "Token expired"},
		{"permissions before role", r, noPermission, ErrMissingPermissions, "Missing required permissions"},
		{"role", r, noRole, ErrMissingRole, "Missing required role"},
		{"nothing asked", Requirements{}, Identity{}, nil, ""},
	} {
		err := c.r.Check(&c.id, now)
		if !errors.Is(err, c.want) || err != nil && err.Error() != c.text {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestReasonOf(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	for _, c := range []struct {
		err          error
		want         Reason
		unauthorized bool
	}{
		{nil, "", false},
		{&Error{Reason: ReasonIssuer}, ReasonIssuer, true},
		{errors.Join(cause, &Error{ReasonKey, cause}), ReasonKey, true},
		{&Error{Reason: "an application's own"}, ReasonOther, true},
		{ErrExpired, ReasonExpired, true},
		{ErrMissingPermissions, ReasonPermissions, false},
		{ErrMissingRole, ReasonRole, false},
		{ErrTwoCredentials, ReasonTwoCredentials, false},
		{ErrUnavailable, ReasonUnavailable, false},
		{ErrUnauthorized, ReasonOther, true},
		{context.Canceled, ReasonCanceled, false},
		{context.DeadlineExceeded, ReasonCanceled, false},
		{cause, ReasonOther, false},
	} {
		if got := ReasonOf(c.err); got != c.want {
			t.Errorf("ReasonOf(%v) = %q, want %q", c.err, got, c.want)
		}
		if got := errors.Is(c.err, ErrUnauthorized); got != c.unauthorized {
			t.Errorf("%v matches ErrUnauthorized: %v, want %v", c.err, got, c.unauthorized)
		}
	}
	wrapped := &Error{ReasonExpired, cause}
	if !errors.Is(wrapped, ErrExpired) || !errors.Is(wrapped, cause) || errors.Is(&Error{Reason: ReasonKey}, ErrExpired) {
		t.Error("an Error does not match what it should")
	}
	if got, want := wrapped.Error(), "auth: token refused: expired: cause"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if got, want := (&Error{Reason: ReasonKey}).Error(), "auth: token refused: key"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

func TestVerifierFunc(t *testing.T) {
	t.Parallel()
	want := &Identity{UserID: "u1"}
	var v Verifier = VerifierFunc(func(_ context.Context, token string) (*Identity, error) {
		if token != "t" {
			return nil, ErrUnauthorized
		}
		return want, nil
	})
	if got, err := v.Verify(t.Context(), "t"); got != want || err != nil {
		t.Errorf("Verify = %v, %v", got, err)
	}
	if _, err := v.Verify(t.Context(), "x"); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("Verify = %v", err)
	}
}
