package revocation_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"boundary-app.org/realtime/internal/revocation"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return noon.Add(d) }

func digest(text string) func() string { return func() string { return text } }

// token returns a token with an id.
func token(user, id string, issued time.Time) revocation.Token {
	return revocation.Token{User: user, ID: id, IssuedAt: issued, Digest: digest("not asked for")}
}

// bare returns a token without an id.
func bare(user, text string) revocation.Token {
	return revocation.Token{User: user, IssuedAt: at(-time.Hour), Digest: digest(text)}
}

func entry(kind revocation.Kind, value string) revocation.Entry {
	return revocation.Entry{Key: revocation.Key{Kind: kind, Value: value}, At: noon, Until: at(time.Hour)}
}

func add(t *testing.T, l *revocation.List, e revocation.Entry, now time.Time) {
	t.Helper()
	if err := l.Add(e, now); err != nil {
		t.Fatal(err)
	}
}

func TestWhatAnEntryCovers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		entry revocation.Entry
		token revocation.Token
		want  bool
	}{
		"user, issued before":          {entry(revocation.User, "u1"), token("u1", "a", at(-time.Hour)), true},
		"user, issued just then":       {entry(revocation.User, "u1"), token("u1", "a", noon), true},
		"user, issued anew":            {entry(revocation.User, "u1"), token("u1", "a", at(1)), false},
		"user, no time of issue":       {entry(revocation.User, "u1"), token("u1", "a", time.Time{}), true},
		"user, another":                {entry(revocation.User, "u1"), token("u2", "u1", at(-time.Hour)), false},
		"token":                        {entry(revocation.TokenID, "a"), token("u1", "a", at(time.Hour)), true},
		"token of another user":        {entry(revocation.TokenID, "a"), token("u2", "a", noon), true},
		"token, another":               {entry(revocation.TokenID, "a"), token("a", "b", noon), false},
		"token without an id":          {entry(revocation.TokenID, "a"), bare("u1", "a"), false},
		"no token id":                  {entry(revocation.TokenID, ""), bare("u1", ""), false},
		"digest":                       {entry(revocation.Digest, "d"), bare("u1", "d"), true},
		"digest, another":              {entry(revocation.Digest, "d"), bare("d", "e"), false},
		"digest of a token with an id": {entry(revocation.Digest, "not asked for"), token("u1", "d", noon), false},
		"unknown kind":                 {entry("planet", "u1"), token("u1", "u1", noon), false},
		"no kind":                      {entry("", "u1"), bare("u1", "u1"), false},
	} {
		if got := c.entry.Covers(c.token); got != c.want {
			t.Errorf("%s: Covers is %v", name, got)
		}
		var l revocation.List
		add(t, &l, c.entry, noon)
		if got := l.Refuses(c.token, noon); got != c.want {
			t.Errorf("%s: Refuses is %v", name, got)
		}
	}
}

// The key of a token names that token, and a user's key all of a user's, whenever
// they were issued.
func TestKeys(t *testing.T) {
	t.Parallel()
	a, b := token("u1", "a", at(time.Hour)), bare("u1", "d")
	for _, test := range []struct {
		key  revocation.Key
		a, b bool
	}{
		{a.Key(), true, false},
		{b.Key(), false, true},
		{revocation.Key{Kind: revocation.User, Value: "u1"}, true, true},
		{revocation.Key{Kind: revocation.User, Value: "u2"}, false, false},
	} {
		if test.key.Names(a) != test.a || test.key.Names(b) != test.b {
			t.Errorf("%+v names %v, %v", test.key, test.key.Names(a), test.key.Names(b))
		}
	}
	if a.Key() != (revocation.Key{Kind: revocation.TokenID, Value: "a"}) || b.Key() != (revocation.Key{Kind: revocation.Digest, Value: "d"}) {
		t.Errorf("the keys are %+v, %+v", a.Key(), b.Key())
	}
}

func TestAnEmptyListRefusesNobody(t *testing.T) {
	t.Parallel()
	var l revocation.List
	if !l.Empty() || l.Len(noon) != 0 || l.Full(noon) || l.Refuses(revocation.Token{User: "u1"}, noon) {
		t.Error("the zero value is not an empty list")
	}
}

// An entry counts until its time, and is gone then, whether anybody sweeps or not.
func TestEntriesExpire(t *testing.T) {
	t.Parallel()
	var l revocation.List
	add(t, &l, entry(revocation.User, "u1"), noon)
	if last := at(time.Hour - 1); !l.Refuses(bare("u1", ""), last) || l.Len(last) != 1 {
		t.Error("it is gone before its time")
	}
	if l.Refuses(bare("u1", ""), at(time.Hour)) || l.Empty() {
		t.Error("an expired entry refuses, or was swept for no reason")
	}
	if l.Len(at(time.Hour)) != 0 || !l.Empty() {
		t.Error("an expired entry is counted")
	}
}

// What is added later sweeps, too.
func TestAddSweeps(t *testing.T) {
	t.Parallel()
	var l revocation.List
	add(t, &l, entry(revocation.User, "u1"), noon)
	late := entry(revocation.User, "u1")
	late.At, late.Until = at(-24*time.Hour), at(3*time.Hour)
	add(t, &l, late, at(2*time.Hour))
	if l.Refuses(token("u1", "a", at(-time.Hour)), at(2*time.Hour)) {
		t.Error("an entry that had expired was extended")
	}
}

func TestRepeatingExtendsAndNeverShortens(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var l revocation.List
		var lastAt, lastUntil time.Duration
		span := rapid.IntRange(1, 1000)
		for i := range rapid.IntRange(1, 5).Draw(t, "times") {
			a, u := time.Duration(span.Draw(t, "at"))*time.Second, time.Hour+time.Duration(span.Draw(t, "until"))*time.Second
			e := revocation.Entry{Key: revocation.Key{Kind: revocation.User, Value: "u1"}, At: at(a), Until: at(u)}
			if err := l.Add(e, at(time.Duration(i))); err != nil {
				t.Fatal(err)
			}
			lastAt, lastUntil = max(lastAt, a), max(lastUntil, u)
		}
		for _, c := range []struct {
			issued, now time.Duration
			want        bool
		}{
			{lastAt, lastUntil - 1, true}, {lastAt + 1, lastUntil - 1, false}, {lastAt, lastUntil, false},
		} {
			if got := l.Refuses(token("u1", "", at(c.issued)), at(c.now)); got != c.want {
				t.Fatalf("issued after %v, now %v: Refuses is %v", c.issued, c.now, got)
			}
		}
		if l.Len(noon) != 1 {
			t.Fatalf("%d entries, want 1", l.Len(noon))
		}
	})
}

// A full list says so; what it holds can be extended, and room comes with time.
func TestAFullList(t *testing.T) {
	t.Parallel()
	var l revocation.List
	for i := range revocation.Max {
		add(t, &l, entry(revocation.TokenID, fmt.Sprint(i)), noon)
	}
	if err := l.Add(entry(revocation.User, "u1"), noon); !errors.Is(err, revocation.ErrFull) || !l.Full(noon) {
		t.Errorf("one more: %v", err)
	}
	if l.Refuses(bare("u1", ""), noon) || l.Len(noon) != revocation.Max {
		t.Error("one more was kept")
	}
	extended := entry(revocation.TokenID, "7")
	extended.Until = at(2 * time.Hour)
	add(t, &l, extended, noon)
	if l.Full(at(time.Hour)) || l.Len(at(time.Hour)) != 1 {
		t.Errorf("%d entries are left after an hour, want 1", l.Len(at(time.Hour)))
	}
	add(t, &l, entry(revocation.User, "u1"), at(time.Hour))
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	var l revocation.List
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 500 {
				user := fmt.Sprint(i, n)
				if err := l.Add(entry(revocation.User, user), at(time.Duration(n)*time.Second)); err != nil {
					t.Error(err)
				}
				if !l.Refuses(bare(user, ""), noon) {
					t.Errorf("%s is not refused", user)
				}
				l.Len(noon)
			}
		})
	}
	wg.Wait()
	if n := l.Len(noon); n != 2000 {
		t.Errorf("%d entries", n)
	}
}
