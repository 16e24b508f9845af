package realtime_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/realtimetest"
)

// R15: a connection keeps all of its identity, and gives out copies.
func TestIdentityIsKept(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	at := time.Now().Truncate(time.Millisecond)
	long := strings.Repeat("ü", 127)
	for name, id := range map[string]realtime.Identity{
		"little": {UserID: "u1"},
		"all": {
			UserID: long, Roles: []string{"a", long, "b"}, Permissions: []string{"read", "write"}, Topics: []string{"order:*"},
			Email: "person@example.com", TokenID: "t1", ExpiresAt: at.Add(time.Hour), IssuedAt: at.Add(-100 * 365 * 24 * time.Hour),
			Claims: json.RawMessage(`{"sub":"u1","deep":{"a":[1]}}`),
		},
	} {
		c, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: &id})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&id, c.Identity()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if c.UserID() != id.UserID || !equal(c.Roles(), id.Roles) {
			t.Errorf("%s: user %q, roles %q", name, c.UserID(), c.Roles())
		}
		c.Identity().UserID = "changed"
		if c.Identity().UserID != id.UserID {
			t.Errorf("%s: a copy is the original", name)
		}
	}
}
