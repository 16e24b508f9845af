package auth

import (
	"context"
	"errors"
	"fmt"
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
