package realtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/revocation"
)

// silent is a transport that keeps nothing.
type silent struct{}

func (silent) Send([]byte) error          { return nil }
func (silent) Close(uint16, string) error { return nil }

// connected returns a connection of user u1 with token t1, and its service, which
// ends with the test.
func connected(t *testing.T) (*Service, *Conn) {
	t.Helper()
	svc, err := New(Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = svc.Shutdown(context.Background()) })
	c, err := svc.Connect(t.Context(), silent{}, ConnectOptions{Identity: &Identity{UserID: "u1", TokenID: "t1"}})
	if err != nil {
		t.Fatal(err)
	}
	return svc, c
}

// A list that is full says so, and nothing is done by half; what it holds can
// be extended.
func TestTooManyRevocations(t *testing.T) {
	t.Parallel()
	svc, c := connected(t)
	now := time.Now()
	for i := range revocation.Max {
		e := revocation.Entry{Key: revocation.Key{Kind: revocation.User, Value: fmt.Sprint(i)}, At: now, Until: now.Add(time.Hour)}
		if err := svc.revoked.Add(e, now); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []Revocation{{User: "u1"}, {TokenID: "t1"}, {Connection: c.ID()}} {
		if _, err := svc.Revoke(t.Context(), r); !errors.Is(err, ErrTooManyRevocations) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if n := svc.ConnectionCount(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	if _, err := svc.Revoke(t.Context(), Revocation{User: "7"}); err != nil {
		t.Errorf("repeated: %v", err)
	}
}

// An identity has one digest, whether it was just verified or has been packed
// for long: that is what its token is known by.
func TestDigestOfAnIdentity(t *testing.T) {
	t.Parallel()
	id := &Identity{
		UserID: "u1", Roles: []string{"a", "b", "a"}, ExpiresAt: time.Unix(9, 123456789), IssuedAt: time.Unix(0, 0),
		Claims: []byte(`{"sub":"u1","roles":["a","b"]}`), Permissions: []string{}, Topics: []string{"t"},
	}
	p := pack(id)
	again := pack(p.identity()).token()
	if a, b := p.token(), again; a.Digest() != b.Digest() || a.User != "u1" || !a.IssuedAt.Equal(b.IssuedAt) {
		t.Errorf("%+v and %+v", a, b)
	}
	other := *id
	other.Email = "someone"
	if pack(&other).token().Digest() == again.Digest() {
		t.Error("another identity has the same digest")
	}
}
