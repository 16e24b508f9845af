package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// rights are what a token grants.
type rights struct{ Roles, Permissions, Topics []string }

// rightsOf verifies a token with these claims besides sub and exp, which must be good.
func rightsOf(t *testing.T, names ClaimNames, claims string) rights {
	t.Helper()
	j := newJWT(t, Options{HMACSecret: secret, Claims: names, Log: slog.New(slog.DiscardHandler)})
	id, err := j.Verify(t.Context(), hs256(`{"sub":"u1","exp":4000000000,`+claims+`}`))
	if err != nil {
		t.Errorf("%s: %v", claims, err)
		return rights{}
	}
	return rights{id.Roles, id.Permissions, id.Topics}
}

// Claims as issuers write them. Both claims for roles may hold a string or a list.
func TestRightsAsIssuersWriteThem(t *testing.T) {
	t.Parallel()
	zitadel := "urn:zitadel:iam:org:project:roles"
	keycloak := ClaimNames{Roles: "realm_access.roles", Permissions: "resource_access.chat.roles"}
	for _, c := range []struct {
		issuer string
		names  ClaimNames
		claims string
		want   rights
	}{
		{".NET, one role", ClaimNames{}, `"role":"admin"`, rights{Roles: []string{"admin"}}},
		{".NET, two roles", ClaimNames{}, `"role":["admin","user"]`, rights{Roles: []string{"admin", "user"}}},
		{"both claims", ClaimNames{}, `"role":["a","b"],"roles":["b","c"]`, rights{Roles: []string{"b", "c", "a"}}},
		{"both names the same", ClaimNames{Role: "roles"}, `"roles":["a","b","a"]`, rights{Roles: []string{"a", "b"}}},
		{"Keycloak", keycloak, `"realm_access":{"roles":["a"]},"resource_access":{"chat":{"roles":["p"]}}`, rights{Roles: []string{"a"}, Permissions: []string{"p"}}},
		{"Cognito", ClaimNames{Roles: "cognito:groups"}, `"cognito:groups":["a","b"]`, rights{Roles: []string{"a", "b"}}},
		{"Auth0", ClaimNames{Roles: "https://example.com/roles"}, `"https://example.com/roles":["a"]`, rights{Roles: []string{"a"}}},
		{"WS-Federation", ClaimNames{Role: "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"}, `"http://schemas.microsoft.com/ws/2008/06/identity/claims/role":"a"`, rights{Roles: []string{"a"}}},
		{"exact name before path", ClaimNames{Roles: "a.b"}, `"a":{"b":"path"},"a.b":"exact"`, rights{Roles: []string{"exact"}}},
		{"path where the exact name is null", ClaimNames{Roles: "a.b"}, `"a.b":null,"a":{"b":"path"}`, rights{Roles: []string{"path"}}},
		{"Zitadel", ClaimNames{Roles: zitadel}, `"` + zitadel + `":{"admin":{"1":"a.example"},"user":{"1":"a.example"}}`, rights{Roles: []string{"admin", "user"}}},
		{"roles as flags", ClaimNames{}, `"roles":{"admin":true,"user":false,"guest":null,"n":0,"e":""}`, rights{Roles: []string{"admin"}}},
		{"RFC 9068", ClaimNames{Permissions: "scope"}, `"scope":"openid realtime:read"`, rights{Permissions: []string{"openid", "realtime:read"}}},
		{"Microsoft Entra", ClaimNames{Permissions: "scp"}, `"scp":"user.read chat.read"`, rights{Permissions: []string{"user.read", "chat.read"}}},
		{"Okta", ClaimNames{Permissions: "scp"}, `"scp":["openid","chat"]`, rights{Permissions: []string{"openid", "chat"}}},
		{"scopes in a list of texts", ClaimNames{Permissions: "scope"}, `"scope":["openid profile","chat"]`, rights{Permissions: []string{"openid", "profile", "chat"}}},
		{"scope with a path", ClaimNames{Permissions: "access.scope"}, `"access":{"scope":"a b"}`, rights{Permissions: []string{"a", "b"}}},
		{"scope, spaces around", ClaimNames{Permissions: "scope"}, `"scope":"  a   b a "`, rights{Permissions: []string{"a", "b"}}},
		{"scope, empty", ClaimNames{Permissions: "scope"}, `"scope":""`, rights{}},
		{"roles in scope", ClaimNames{Roles: "scope"}, `"scope":"a b"`, rights{Roles: []string{"a", "b"}}},
		{"topics in scope", ClaimNames{Topics: "scope"}, `"scope":"a:* b"`, rights{Topics: []string{"a:*", "b"}}},
		{"a permission with a space", ClaimNames{}, `"permissions":"read all"`, rights{Permissions: []string{"read all"}}},
		{"a role with a space", ClaimNames{}, `"roles":["Power User"],"role":"Site Admin"`, rights{Roles: []string{"Power User", "Site Admin"}}},
	} {
		if diff := cmp.Diff(c.want, rightsOf(t, c.names, c.claims)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.issuer, diff)
		}
	}
}

// unreadableRights are values of a claim that grant nothing.
func unreadableRights() []string {
	tooLong := quote(strings.Repeat("é", 128))
	return []string{
		`3`, `1.5`, `true`, `false`, `null`, `""`, tooLong, `"a\tb"`, `"a\u0000"`, `"a\u0085"`, `"a\ud800"`,
		`{}`, `{"name":"admin"}`, `{"admin":false}`, `{"":true}`, `{` + tooLong + `:true}`, `{"a\u0000":true}`,
		`{"admin":true,"admin":true}`, `{"a\ud800":true}`,
		`[]`, `[""]`, `[null]`, `[3]`, `[["admin"]]`, `[{"name":"admin"}]`,
	}
}

// withClaim is a good token with one more claim, given as JSON.
func withClaim(claim, value string) string {
	return hs256(`{"sub":"u1","exp":4000000000,` + quote(claim) + `:` + value + `}`)
}

// A value that cannot be read costs the right alone; the good ones beside it stay.
func TestRightsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, claim := range []string{"role", "roles", "permissions", "topics"} {
		for _, value := range unreadableRights() {
			if diff := cmp.Diff(rights{}, rightsOf(t, ClaimNames{}, quote(claim)+`:`+value)); diff != "" {
				t.Errorf("%s %s: granted:\n%s", claim, value, diff)
			}
			got := rightsOf(t, ClaimNames{}, fmt.Sprintf(`%q:["x",%s,"y"]`, claim, value))
			if want := []string{"x", "y"}; !slices.Equal(slices.Concat(got.Roles, got.Permissions, got.Topics), want) {
				t.Errorf("%s %s between good ones: %+v, want %q", claim, value, got, want)
			}
		}
	}
	for _, value := range []string{`"a*b"`, `"a**"`, `"*a"`} {
		if got := rightsOf(t, ClaimNames{}, `"topics":`+value); got.Topics != nil {
			t.Errorf("topics %s: %q", value, got.Topics)
		}
	}
	for _, claim := range []string{"permissions", "topics"} { // names are roles, of roles alone
		if got := rightsOf(t, ClaimNames{}, quote(claim)+`:{"admin":true}`); got.Permissions != nil || got.Topics != nil {
			t.Errorf("%s as an object: %+v", claim, got)
		}
	}
	if got := rightsOf(t, ClaimNames{Roles: "access.roles"}, `"access":{"roles":"a","roles":"b"}`); got.Roles != nil {
		t.Errorf("a name twice on the path: %q", got.Roles)
	}
}

// A claim grants a bounded number of names.
func TestRightsAreBounded(t *testing.T) {
	t.Parallel()
	list := strings.Join(slices.Collect(numbered(`"%d"`, maxNames+10)), ",")
	got := rightsOf(t, ClaimNames{}, `"topics":[`+list+`]`).Topics
	if len(got) != maxNames || got[0] != "0" || got[maxNames-1] != fmt.Sprint(maxNames-1) {
		t.Errorf("%d names, want the first %d", len(got), maxNames)
	}
	many := strings.Join(slices.Collect(numbered(`"%d":true`, maxMembers+1)), ",")
	if got := rightsOf(t, ClaimNames{}, `"roles":{`+many+`}`); got.Roles != nil {
		t.Errorf("%d roles of an object with more than %d names", len(got.Roles), maxMembers)
	}
}

// An email that is none is no reason to stay out.
func TestEmailThatCannotBeRead(t *testing.T) {
	t.Parallel()
	j := newJWT(t, Options{HMACSecret: secret, Log: slog.New(slog.DiscardHandler)})
	for _, value := range []any{1, []string{"a@b.example"}, map[string]any{"a": 1}, false} {
		if id, err := j.Verify(t.Context(), mint(map[string]any{"email": value})); err != nil || id.Email != "" {
			t.Errorf("email %v: %+v, %v", value, id, err)
		}
	}
}

// A right that is required still keeps out who lacks it.
func TestRequiredRightThatCannotBeRead(t *testing.T) {
	t.Parallel()
	j := newJWT(t, Options{HMACSecret: secret, Log: slog.New(slog.DiscardHandler)})
	require := Requirements{Roles: []string{"admin"}}
	for claims, want := range map[string]error{
		`"role":["admin","user"]`:        nil,
		`"role":3,"roles":["admin",3]`:   nil,
		`"role":3`:                       ErrMissingRole,
		`"roles":{"admin":false}`:        ErrMissingRole,
		`"roles":[{"name":"admin"}]`:     ErrMissingRole,
		`"role":"admin user"`:            ErrMissingRole,
		`"roles":[["admin"]]`:            ErrMissingRole,
		`"roles":["admin\u0000"]`:        ErrMissingRole,
		`"permissions":"admin"`:          ErrMissingRole,
		`"roles":{"a":true,"admin":"x"}`: ErrMissingRole,
	} {
		id, err := j.Verify(t.Context(), hs256(`{"sub":"u1","exp":4000000000,`+claims+`}`))
		if err != nil {
			t.Errorf("%s: %v", claims, err)
			continue
		}
		if err := require.Check(id, now); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", claims, err, want)
		}
	}
}

// The operator sees, at debug, which claim was not read and why: never its value.
func TestDroppedRightsAreLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	level := new(slog.LevelVar)
	log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: level}))
	j := newJWT(t, Options{HMACSecret: secret, Log: log})
	bad := mint(map[string]any{"roles": []any{"hidden-role", 3, "hidden\n"}, "email": 7})
	if _, err := j.Verify(t.Context(), bad); err != nil || out.Len() > 0 {
		t.Errorf("%v, log at info: %s", err, &out)
	}
	level.Set(slog.LevelDebug)
	for range 100 {
		if _, err := j.Verify(t.Context(), bad); err != nil {
			t.Fatal(err)
		}
	}
	var first struct {
		Claim   string
		Dropped int
		Cause   string
	}
	line, _, _ := strings.Cut(out.String(), "\n")
	if err := json.Unmarshal([]byte(line), &first); err != nil || first.Claim != "email" || first.Dropped != 1 || first.Cause != "must be a string" {
		t.Errorf("log: %s (%v)", line, err)
	}
	if text := out.String(); !strings.Contains(text, `"claim":"roles","dropped":2`) || strings.Contains(text, "hidden") || strings.Count(text, "\n") > 40 {
		t.Errorf("log: %s", text)
	}
}

// PHP and Ruby issuers often write the user id as a number. Every digit counts.
func TestNumericUserIDs(t *testing.T) {
	t.Parallel()
	j := newJWT(t, Options{HMACSecret: secret, Claims: ClaimNames{UserID: "user.id"}})
	verify := func(value string) (*Identity, error) {
		return j.Verify(t.Context(), hs256(`{"exp":4000000000,"user":{"id":`+value+`}}`))
	}
	for _, value := range []string{
		"0", "1", "42", "-7", "9007199254740993", "9223372036854775807", "18446744073709551615", "-9223372036854775808",
		"123456789012345678901234567890", strings.Repeat("9", maxName),
	} {
		if id, err := verify(value); err != nil || id.UserID != value {
			t.Errorf("%s: %+v, %v", value, id, err)
		}
	}
	for _, value := range []string{"-0", "1.0", "1e3", "1E3", "0.0", "1e-400", "-0.0", "1e400", strings.Repeat("9", maxName+1), "true", "[1]", `{"a":1}`} {
		if id, err := verify(value); ReasonOf(err) != ReasonSubject {
			t.Errorf("%s: %+v, %v; want it refused", value, id, err)
		}
	}
	for _, value := range []string{"01", "+1", "0x1", "1_000", "NaN"} { // no JSON
		if _, err := verify(value); ReasonOf(err) != ReasonMalformed {
			t.Errorf("%s: %v", value, err)
		}
	}
}

// The widest lists that fit into a token are read in time.
func TestRightsAreReadQuickly(t *testing.T) {
	t.Parallel()
	const limit = 5 * time.Millisecond * slowdown
	token := hs256(`{"sub":"u1","exp":4000000000,"roles":[` + strings.Join(slices.Collect(numbered(`"%x"`, 1000)), ",") + `]}`)
	j := newJWT(t, Options{HMACSecret: secret, Log: slog.New(slog.DiscardHandler)})
	best := time.Hour
	for i := 0; i < 50 && best >= limit; i++ {
		begin := time.Now()
		if _, err := j.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		best = min(best, time.Since(begin))
	}
	if best >= limit {
		t.Errorf("%v at best, want less than %v", best, limit)
	}
}
