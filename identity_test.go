package realtime

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestPackedIdentityIsUnpacked packs identities whose texts stand in the claims,
// or do not, or are pieces of each other.
func TestPackedIdentityIsUnpacked(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", "u", "u1", "user-1", "ü", "a\x00b", "admin"})
		texts := rapid.SliceOfDistinct(text, func(s string) string { return s })
		instant := rapid.Custom(func(t *rapid.T) time.Time {
			ms := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(-1e15, 1e15)).Draw(t, "ms")
			if ms == 0 {
				return time.Time{}
			}
			return time.UnixMilli(ms)
		})
		id := &Identity{
			UserID: text.Draw(t, "user"), Email: text.Draw(t, "email"), TokenID: text.Draw(t, "token"),
			Roles: texts.Draw(t, "roles"), Permissions: texts.Draw(t, "permissions"), Topics: texts.Draw(t, "topics"),
			ExpiresAt: instant.Draw(t, "expires"), IssuedAt: instant.Draw(t, "issued"),
			Claims: rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`{"sub":"user-1","role":"admin"}`), json.RawMessage(`{}`)}).Draw(t, "claims"),
		}
		p := pack(id)
		got := p.identity()
		for _, list := range []*[]string{&id.Roles, &id.Permissions, &id.Topics} {
			if len(*list) == 0 {
				*list = nil
			}
		}
		if d := cmp.Diff(id, got); d != "" {
			t.Fatal(d)
		}
		if p.user() != id.UserID || !cmp.Equal(p.roles(), id.Roles) {
			t.Fatalf("user %q, roles %q; want %q, %q", p.user(), p.roles(), id.UserID, id.Roles)
		}
	})
}
