package realtime_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boundary-app.org/realtime"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// connections returns three connections of two users.
func connections() []realtime.ConnectionInfo {
	return []realtime.ConnectionInfo{
		{ID: "1", UserID: "u1", Roles: []string{"admin", "editor"}, Topics: []string{"t"}, CreatedAt: noon, Metadata: map[string]any{"os": "linux", "tags": []int{1}}},
		{ID: "2", UserID: "u1", Metadata: map[string]any{"os": "mac"}},
		{ID: "3", UserID: "u2", Roles: []string{"editor"}, Topics: []string{"t", "u"}},
	}
}

func idsOf(infos []realtime.ConnectionInfo) []string { return realtime.Everyone().Route(infos) }

// R16: helpers over one connection.
func TestConnectionHelpers(t *testing.T) {
	t.Parallel()
	c := connections()[0]
	if age := c.Age(noon.Add(90 * time.Second)); age.Seconds() != 90 {
		t.Errorf("age = %v, want 90 s", age)
	}
	for name, got := range map[string]struct{ got, want bool }{
		"has":          {c.HasRole("admin"), true},
		"has not":      {c.HasRole("adm"), false},
		"any":          {c.HasAnyRole("x", "editor"), true},
		"any of none":  {c.HasAnyRole(), false},
		"any, neither": {c.HasAnyRole("x", "y"), false},
		"all":          {c.HasAllRoles("editor", "admin"), true},
		"all of none":  {c.HasAllRoles(), true},
		"all, but one": {c.HasAllRoles("admin", "x"), false},
	} {
		if got.got != got.want {
			t.Errorf("%s = %v", name, got.got)
		}
	}
}

// R16: changed metadata never touches the original.
func TestWithMetadata(t *testing.T) {
	t.Parallel()
	c := connections()[0]
	changed := c.WithMetadata(map[string]any{"os": "bsd", "new": 1})
	want := map[string]any{"os": "bsd", "new": 1, "tags": []int{1}}
	if diff := cmp.Diff(want, changed.Metadata); diff != "" {
		t.Errorf("metadata: %s", diff)
	}
	changed.Metadata["os"], changed.Roles[0], changed.Topics[0] = "x", "x", "x"
	if diff := cmp.Diff(connections()[0], c); diff != "" {
		t.Errorf("the original changed: %s", diff)
	}
	if bare := (realtime.ConnectionInfo{}).WithMetadata(map[string]any{"a": 1}); bare.Metadata["a"] != 1 {
		t.Errorf("of nothing: %v", bare.Metadata)
	}
}

// R16: filters over connections, and whom an address reaches.
func TestConnectionFilters(t *testing.T) {
	t.Parallel()
	all := connections()
	for name, c := range map[string]struct{ got, want []string }{
		"user":               {idsOf(realtime.FilterByUser(all, "u1")), []string{"1", "2"}},
		"user, none":         {idsOf(realtime.FilterByUser(all, "u3")), []string{}},
		"role":               {idsOf(realtime.FilterByRole(all, "editor")), []string{"1", "3"}},
		"metadata":           {idsOf(realtime.FilterByMetadata(all, "os", "mac")), []string{"2"}},
		"metadata, a slice":  {idsOf(realtime.FilterByMetadata(all, "tags", []int{1})), []string{"1"}},
		"metadata, no key":   {idsOf(realtime.FilterByMetadata(all, "none", nil)), []string{}},
		"of nothing":         {idsOf(realtime.FilterByUser(nil, "u1")), []string{}},
		"route everyone":     {realtime.Everyone().Route(all), []string{"1", "2", "3"}},
		"route user":         {realtime.User("u2").Route(all), []string{"3"}},
		"route role":         {realtime.Role("admin").Route(all), []string{"1"}},
		"route connection":   {realtime.Connection("2").Route(all), []string{"2"}},
		"route topic":        {realtime.Topic("t").Route(all), []string{"1", "3"}},
		"route nobody":       {realtime.Topic("none").Route(all), []string{}},
		"route zero address": {realtime.Address{}.Route(all), []string{}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if diff := cmp.Diff(connections(), all); diff != "" {
		t.Errorf("the originals changed: %s", diff)
	}
}

// R16: filters over messages.
func TestMessageFilters(t *testing.T) {
	t.Parallel()
	messages := []realtime.Message{
		{Type: "a", Timestamp: noon},
		{Type: "b", Timestamp: noon.Add(-time.Minute)},
		{Type: "a", Timestamp: noon.Add(-time.Minute - 1)},
		{Type: "a"},
	}
	if got := realtime.FilterByType(messages, "a"); len(got) != 3 || got[0].Timestamp != noon {
		t.Errorf("by type: %v", got)
	}
	if got := realtime.FilterRecent(messages, noon, time.Minute); len(got) != 2 || got[1].Type != "b" {
		t.Errorf("recent: %v", got)
	}
	if diff := cmp.Diff(map[string]int{"a": 3, "b": 1}, realtime.CountByType(messages)); diff != "" {
		t.Errorf("by type: %s", diff)
	}
	if got := realtime.CountByType(nil); got == nil || len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
	addressed := []realtime.Addressed{
		{realtime.User("x"), messages[0]}, {realtime.Role("x"), messages[1]}, {realtime.User("y"), messages[2]}, {realtime.Everyone(), messages[3]},
	}
	for to, want := range map[realtime.Address]string{realtime.User("x"): "a", realtime.Role("x"): "b"} {
		if got := realtime.FilterByTarget(addressed, to); len(got) != 1 || got[0].Message.Type != want {
			t.Errorf("to %s: %v", to, got)
		}
	}
}
