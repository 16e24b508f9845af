package filter_test

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/filter"
	"boundary-app.org/realtime/realtimetest"
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

func idsOf(infos []realtime.ConnectionInfo) []string { return filter.Route(infos, realtime.Everyone()) }

// R16: helpers over one connection.
func TestConnectionHelpers(t *testing.T) {
	t.Parallel()
	c := connections()[0]
	if age := filter.Age(c, noon.Add(90*time.Second)); age.Seconds() != 90 {
		t.Errorf("age = %v, want 90 s", age)
	}
	for name, got := range map[string]struct{ got, want bool }{
		"has":          {filter.HasRole(c, "admin"), true},
		"has not":      {filter.HasRole(c, "adm"), false},
		"any":          {filter.HasAnyRole(c, "x", "editor"), true},
		"any of none":  {filter.HasAnyRole(c), false},
		"any, neither": {filter.HasAnyRole(c, "x", "y"), false},
		"all":          {filter.HasAllRoles(c, "editor", "admin"), true},
		"all of none":  {filter.HasAllRoles(c), true},
		"all, but one": {filter.HasAllRoles(c, "admin", "x"), false},
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
	changed := filter.WithMetadata(c, map[string]any{"os": "bsd", "new": 1})
	want := map[string]any{"os": "bsd", "new": 1, "tags": []int{1}}
	if diff := cmp.Diff(want, changed.Metadata); diff != "" {
		t.Errorf("metadata: %s", diff)
	}
	changed.Metadata["os"], changed.Roles[0], changed.Topics[0] = "x", "x", "x"
	if diff := cmp.Diff(connections()[0], c); diff != "" {
		t.Errorf("the original changed: %s", diff)
	}
	if bare := filter.WithMetadata(realtime.ConnectionInfo{}, map[string]any{"a": 1}); bare.Metadata["a"] != 1 {
		t.Errorf("of nothing: %v", bare.Metadata)
	}
}

// R16: filters over connections, and whom an address reaches.
func TestConnectionFilters(t *testing.T) {
	t.Parallel()
	all := connections()
	for name, c := range map[string]struct{ got, want []string }{
		"user":               {idsOf(filter.ByUser(all, "u1")), []string{"1", "2"}},
		"user, none":         {idsOf(filter.ByUser(all, "u3")), []string{}},
		"role":               {idsOf(filter.ByRole(all, "editor")), []string{"1", "3"}},
		"metadata":           {idsOf(filter.ByMetadata(all, "os", "mac")), []string{"2"}},
		"metadata, a slice":  {idsOf(filter.ByMetadata(all, "tags", []int{1})), []string{"1"}},
		"metadata, no key":   {idsOf(filter.ByMetadata(all, "none", nil)), []string{}},
		"of nothing":         {idsOf(filter.ByUser(nil, "u1")), []string{}},
		"route everyone":     {filter.Route(all, realtime.Everyone()), []string{"1", "2", "3"}},
		"route user":         {filter.Route(all, realtime.User("u2")), []string{"3"}},
		"route role":         {filter.Route(all, realtime.Role("admin")), []string{"1"}},
		"route connection":   {filter.Route(all, realtime.Connection("2")), []string{"2"}},
		"route topic":        {filter.Route(all, realtime.Topic("t")), []string{"1", "3"}},
		"route nobody":       {filter.Route(all, realtime.Topic("none")), []string{}},
		"route zero address": {filter.Route(all, realtime.Address{}), []string{}},
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
	if got := filter.ByType(messages, "a"); len(got) != 3 || got[0].Timestamp != noon {
		t.Errorf("by type: %v", got)
	}
	if got := filter.Recent(messages, noon, time.Minute); len(got) != 2 || got[1].Type != "b" {
		t.Errorf("recent: %v", got)
	}
	if diff := cmp.Diff(map[string]int{"a": 3, "b": 1}, filter.CountByType(messages)); diff != "" {
		t.Errorf("by type: %s", diff)
	}
	if got := filter.CountByType(nil); got == nil || len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
	addressed := []filter.Addressed{
		{realtime.User("x"), messages[0]}, {realtime.Role("x"), messages[1]}, {realtime.User("y"), messages[2]}, {realtime.Everyone(), messages[3]},
	}
	for to, want := range map[realtime.Address]string{realtime.User("x"): "a", realtime.Role("x"): "b"} {
		if got := filter.ByTarget(addressed, to); len(got) != 1 || got[0].Message.Type != want {
			t.Errorf("to %s: %v", to, got)
		}
	}
}

// R11: connections are found by ids; ids without one are skipped.
func TestByID(t *testing.T) {
	t.Parallel()
	svc, err := realtime.New(realtime.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = svc.Shutdown(t.Context()) })
	var conns []*realtime.Conn
	for range 3 {
		c, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: &realtime.Identity{UserID: "u1"}})
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	conns[1].Close(0, "")
	got := filter.ByID(svc, conns[2].ID(), "no id", conns[1].ID(), conns[0].ID(), "AAAAAAAAAAAAAAAAAAAAAA")
	if !slices.Equal(got, []*realtime.Conn{conns[2], conns[0]}) {
		t.Errorf("found %v", got)
	}
}
