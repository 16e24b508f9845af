package revocation_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boundary-app.org/realtime/internal/revocation"
)

// Nodes tell each other commands and tokens as JSON; what cannot be read is an error.
func TestEncoding(t *testing.T) {
	t.Parallel()
	command := revocation.Command{
		Keys: []revocation.Key{{Kind: revocation.User, Value: "u1"}, {Kind: revocation.Digest, Value: "d"}},
		User: "u1", At: 1, Until: 2, Reason: "x",
	}
	if got, err := revocation.ParseCommand(command.Encode()); err != nil || !cmp.Equal(got, command) {
		t.Errorf("the command is read as %+v, %v", got, err)
	}
	tokens := revocation.Tokens{Keys: command.Keys, User: "u1", Expires: noon, Lifetime: time.Hour}
	if got, err := revocation.ParseTokens(tokens.Encode()); err != nil || !cmp.Equal(got, tokens) {
		t.Errorf("the tokens are read as %+v, %v", got, err)
	}
	for _, body := range []string{"", "[", `{"keys":1}`} {
		_, err1 := revocation.ParseCommand([]byte(body))
		_, err2 := revocation.ParseTokens([]byte(body))
		if err1 == nil || err2 == nil {
			t.Errorf("%q is read", body)
		}
	}
}

// FuzzParse shows that whatever another node sends is read or refused, and names
// what it says.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kind":"user","value":"u1"}],"at":1,"until":2}`))
	f.Add([]byte(`{"expires":"2026-01-02T03:04:05Z","lifetime":-1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := revocation.ParseCommand(body)
		if err != nil {
			return
		}
		again, err := revocation.ParseCommand(c.Encode())
		if err != nil || again.Until != c.Until || len(again.Keys) != len(c.Keys) {
			t.Errorf("%+v is read again as %+v, %v", c, again, err)
		}
		l := revocation.NewList(time.Hour, 0)
		if err := l.Apply(c, noon); err != nil {
			t.Error(err)
		}
		if tokens, err := revocation.ParseTokens(body); err == nil {
			l.DefaultUntil(tokens, noon)
		}
	})
}

// A command names the tokens of its keys, whenever they were issued.
func TestCommandNames(t *testing.T) {
	t.Parallel()
	c := revocation.Command{Keys: []revocation.Key{{Kind: revocation.User, Value: "u1"}, {Kind: revocation.TokenID, Value: "a"}}}
	for _, token := range []revocation.Token{token("u1", "x", at(time.Hour)), token("u2", "a", noon), bare("u1", "d")} {
		if !c.Names(token) {
			t.Errorf("it does not name %+v", token)
		}
	}
	if other := token("u2", "b", noon); c.Names(other) || (revocation.Command{}).Names(other) {
		t.Error("it names another token")
	}
}

// A command counts as given when the node hears of it, if that is later, and as
// much later as clocks may be apart.
func TestApply(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		leeway, given, issued time.Duration // given and issued: from noon, when it is heard of
		out                   bool
	}{
		{0, 0, 30 * time.Second, true},
		{0, 0, 31 * time.Second, false},
		{time.Second, 0, 30 * time.Second, true},
		{5 * time.Minute, 0, 5 * time.Minute, true},
		{5 * time.Minute, 0, 301 * time.Second, false},
		{0, -time.Hour, 20 * time.Second, true}, // by a clock that is behind
		{0, time.Minute, 90 * time.Second, true},
		{0, time.Minute, 91 * time.Second, false},
	} {
		l := revocation.NewList(time.Hour, test.leeway)
		c := revocation.Command{
			Keys: []revocation.Key{{Kind: revocation.User, Value: "u1"}},
			At:   at(test.given).UnixMilli(), Until: at(time.Hour).UnixMilli(),
		}
		if err := l.Apply(c, noon); err != nil {
			t.Fatal(err)
		}
		if got := l.Refuses(token("u1", "a", at(test.issued)), at(time.Minute)); got != test.out {
			t.Errorf("%+v: refused: %v", test, got)
		}
	}
}

// Where there is no room for all keys of a command, those that fit are added.
func TestApplyToAFullList(t *testing.T) {
	t.Parallel()
	l := revocation.NewList(time.Hour, 0)
	c := revocation.Command{Until: at(time.Hour).UnixMilli()}
	for i := range revocation.Max + 1 {
		c.Keys = append(c.Keys, revocation.Key{Kind: revocation.TokenID, Value: fmt.Sprint(i)})
	}
	if err := l.Apply(c, noon); !errors.Is(err, revocation.ErrFull) || l.Len(noon) != revocation.Max {
		t.Errorf("%v; %d entries", err, l.Len(noon))
	}
	c.Keys = c.Keys[:1]
	if err := l.Apply(c, noon); err != nil {
		t.Errorf("repeated: %v", err)
	}
}

// A revocation lasts an hour longer than any token that it may be about, as far as
// this node and others know.
func TestDefaultUntil(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		leeway, seen time.Duration
		others       []revocation.Tokens
		want         time.Duration
	}{
		"as configured":        {0, 0, nil, day + time.Hour},
		"a great leeway":       {time.Hour, 0, nil, day + 2*time.Hour},
		"a shorter life":       {0, time.Minute, nil, day + time.Hour},
		"a longer life":        {0, 31 * day, nil, 31*day + time.Hour},
		"no expiry":            {0, -1, nil, day + time.Hour},
		"the token's expiry":   {0, 0, []revocation.Tokens{{Expires: at(31 * day)}}, 31*day + time.Hour},
		"another node's":       {0, 0, []revocation.Tokens{{Lifetime: day}, {Lifetime: 31 * day}, {}}, 31*day + time.Hour},
		"the latest of both":   {0, 2 * day, []revocation.Tokens{{Expires: at(4 * day)}, {Lifetime: 3 * day}}, 4*day + time.Hour},
		"an expiry in between": {0, 0, []revocation.Tokens{{Expires: at(time.Hour)}}, day + time.Hour},
	} {
		l := revocation.NewList(day, test.leeway)
		if test.seen >= 0 {
			l.ObserveLifetime(at(test.seen-time.Hour), at(-time.Hour))
		} else {
			l.ObserveLifetime(time.Time{}, noon)
		}
		var known revocation.Tokens
		for _, other := range test.others {
			known.Extend(other)
		}
		if got := l.DefaultUntil(known, noon); !got.Equal(at(test.want)) {
			t.Errorf("%s: until %v later, want %v", name, got.Sub(noon), test.want)
		}
	}
}
