package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// The detail of a refusal names the claim and what is wrong with it, and what it
// was held against: never its value.
func TestDetail(t *testing.T) {
	t.Parallel()
	j := newJWT(t, Options{HMACSecret: secret, Issuer: ourIssuer, Audience: ourAudience})
	with := func(changes map[string]any) string {
		set := map[string]any{"iss": ourIssuer, "aud": ourAudience}
		for name, value := range changes {
			set[name] = value
		}
		return mint(set)
	}
	for name, c := range map[string]struct {
		token  string
		reason Reason
		says   string
	}{
		"exp missing":   {with(map[string]any{"exp": nil}), ReasonClaimExp, "exp is missing"},
		"exp a string":  {with(map[string]any{"exp": "hidden"}), ReasonClaimExp, "exp: want a number"},
		"iat a string":  {with(map[string]any{"iat": "hidden"}), ReasonClaimIat, "iat: want a number"},
		"nbf a string":  {with(map[string]any{"nbf": "hidden"}), ReasonClaimNbf, "nbf: want a number"},
		"jti too long":  {with(map[string]any{"jti": strings.Repeat("hidden", 50)}), ReasonClaimJti, "jti: want 1 to 255 bytes"},
		"expired":       {with(map[string]any{"exp": 1}), ReasonExpired, "exp is past"},
		"nbf ahead":     {with(map[string]any{"nbf": 3_999_999_999}), ReasonNotYetValid, "nbf is in the future"},
		"iat ahead":     {with(map[string]any{"iat": 3_999_999_999}), ReasonNotYetValid, "iat is in the future"},
		"iss of others": {with(map[string]any{"iss": "hidden"}), ReasonIssuer, `iss is not "https://id.example"`},
		"iss missing":   {with(map[string]any{"iss": nil}), ReasonIssuer, "iss is missing"},
		"aud of others": {with(map[string]any{"aud": "hidden"}), ReasonAudience, `aud does not contain "chat"`},
		"aud missing":   {with(map[string]any{"aud": nil}), ReasonAudience, "aud is missing"},
		"sub missing":   {with(map[string]any{"sub": nil}), ReasonSubject, "sub is missing"},
		"sub a list":    {with(map[string]any{"sub": []string{"hidden"}}), ReasonSubject, "sub: neither a string nor an integer"},
		"no token":      {"", ReasonMissing, "the token is empty"},
	} {
		_, err := j.Verify(t.Context(), c.token)
		got := Detail(fmt.Errorf("wrapped, with what a caller adds: %s: %w", c.token, err))
		if ReasonOf(err) != c.reason || !strings.HasPrefix(got, c.says) || strings.Contains(got, "hidden") {
			t.Errorf("%s: reason %q, detail %q; want %q, %q", name, ReasonOf(err), got, c.reason, c.says)
		}
	}
}

// A claim set that cannot be read as a whole: the detail names the claim where it is one
// that is read. Any other name comes from the token, and is left out.
func TestDetailOfMisreadClaims(t *testing.T) {
	t.Parallel()
	j := newJWT(t, Options{HMACSecret: secret, Claims: ClaimNames{UserID: "user.id", Roles: "realm.app.roles", Email: "https://id.example/mail"}})
	const rest = `,"exp":4e9`
	many := strings.Join(slices.Collect(numbered(`,"hidden%d":0`, 257)), "")
	for claims, c := range map[string]struct {
		reason Reason
		says   string
	}{
		`{"exp":1,"user":{"id":"hidden"}` + rest + `}`:                           {ReasonMalformed, "claims: exp occurs twice (RFC 7519, section 4)"},
		`{"user":{"id":"hidden"},"user":"hidden"` + rest + `}`:                   {ReasonMalformed, "claims: user occurs twice (RFC 7519, section 4)"},
		`{"realm":1,"realm":2` + rest + `}`:                                      {ReasonMalformed, "claims: realm occurs twice (RFC 7519, section 4)"},
		`{"https://id.example/mail":1,"https://id.example\/mail":2` + rest + `}`: {ReasonMalformed, "claims: https://id.example/mail occurs twice (RFC 7519, section 4)"},
		`{"hidden":1,"hidden":2` + rest + `}`:                                    {ReasonMalformed, "claims: a claim that is not read occurs twice (RFC 7519, section 4)"},
		`{"":1,"":2` + rest + `}`:                                                {ReasonMalformed, "claims: a claim that is not read occurs twice (RFC 7519, section 4)"},
		`{"user":1` + many + `}`:                                                 {ReasonMalformed, "claims: more than 256 names"},
		`{"user":{"id":"hidden","id":"u1"}` + rest + `}`:                         {ReasonSubject, "user.id: in user: a name occurs twice"},
		`{"user":{"id":"hidden"` + many + `}` + rest + `}`:                       {ReasonSubject, "user.id: in user: more than 256 names"},
	} {
		_, err := j.Verify(t.Context(), hs256(claims))
		if got := Detail(err); ReasonOf(err) != c.reason || !strings.HasPrefix(got, c.says) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%.100s: reason %q, detail %q; want %q, %q", claims, ReasonOf(err), got, c.reason, c.says)
		}
	}
}

// A name twice in a nested object costs the right, and the log says in which object.
func TestDroppedRightNamesTheObject(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	o := Options{HMACSecret: secret, Claims: ClaimNames{Roles: "realm.app.roles"}, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	wantReason(t, newJWT(t, o), hs256(`{"sub":"u1","exp":4e9,"realm":{"app":{"roles":"hidden","roles":"hidden"}}}`), "")
	if text := log.String(); !strings.Contains(text, "claim=realm.app.roles") || !strings.Contains(text, `cause="in realm: in app: a name occurs twice`) || strings.Contains(text, "hidden") {
		t.Errorf("log: %s", text)
	}
}

// Inspect says in which part of the token the mistake is.
func TestInspectNamesThePart(t *testing.T) {
	t.Parallel()
	for token, says := range map[string]string{
		withHeader(`{"alg":"HS256","alg":"HS256"}`): "header: a name occurs twice",
		hs256(`{"sub":"hidden","sub":"u1"}`):        "claims: sub occurs twice",
		hs256(`[]`):                                 "claims: not a JSON object",
	} {
		if _, _, err := Inspect(token); ReasonOf(err) != ReasonMalformed || !strings.HasPrefix(Detail(err), says) {
			t.Errorf("Inspect: %v, want %q", err, says)
		}
	}
}

// The words of others are not repeated: they may quote the token.
func TestDetailOfOthers(t *testing.T) {
	t.Parallel()
	hidden := errors.New("hidden")
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{hidden, string(ReasonOther)},
		{&Error{Reason: ReasonSignature, Err: hidden}, string(ReasonSignature)},
		{&Error{Reason: "hidden"}, string(ReasonOther)},
		{fmt.Errorf("%w: %w", ErrUnavailable, hidden), string(ReasonUnavailable)},
		{fmt.Errorf("hidden: %w", context.Canceled), string(ReasonCanceled)},
		{fmt.Errorf("hidden: %w", ErrMissingRole), string(ReasonRole)},
	} {
		if got := Detail(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}
