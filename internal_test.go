package realtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"boundary-app.org/realtime/internal/revocation"
	"boundary-app.org/realtime/internal/socket"
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
		got := p.unpack()
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

// A connection that has ended takes no token, and one that was never refreshed
// keeps nothing besides its own.
func TestReplace(t *testing.T) {
	t.Parallel()
	_, c := connected(t)
	if c.earlier.Load() != nil || len(c.tokens()) != 1 {
		t.Errorf("it has the tokens %v", c.tokens())
	}
	second := pack(&Identity{UserID: "u1", TokenID: "t2"})
	if err := c.replace(second, time.Now()); err != nil || len(c.tokens()) != 2 {
		t.Errorf("it has the tokens %v (%v)", c.tokens(), err)
	}
	c.Close(0, "")
	if err := c.replace(second, time.Now()); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

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
	again := pack(p.unpack()).token()
	if a, b := p.token(), again; a.Digest() != b.Digest() || a.User != "u1" || !a.IssuedAt.Equal(b.IssuedAt) {
		t.Errorf("%+v and %+v", a, b)
	}
	other := *id
	other.Email = "someone"
	if pack(&other).token().Digest() == again.Digest() {
		t.Error("another identity has the same digest")
	}
}

// pieces is a client's end that sends octets so many at a time, and then ends.
type pieces struct {
	net.Conn
	octets []byte
	size   int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.octets) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.octets)
	p.octets = p.octets[n:]
	return n, nil
}

func (p *pieces) Write(b []byte) (int, error)     { return len(b), nil }
func (p *pieces) SetDeadline(time.Time) error     { return nil }
func (p *pieces) SetReadDeadline(time.Time) error { return nil }

// Whatever a client sends first, however it is cut: it is a token, the same one
// each time, or a close with a code that may be sent.
func FuzzFirstMessage(f *testing.F) {
	frame := func(dst []byte, op socket.Opcode, text string) []byte {
		return socket.AppendMaskedFrame(dst, op, []byte(text), [4]byte{1, 2, 3, 4})
	}
	good := frame(frame(nil, socket.OpPing, "p"), socket.OpText, `{"action":"connect","token":"a.b.c"}`)
	for _, seed := range [][]byte{
		nil, good, frame(good, socket.OpText, "next"), good[:7], frame(nil, socket.OpClose, "\x03\xe8"), frame(nil, socket.OpClose, "\x00"),
		frame(nil, socket.OpBinary, "x"), socket.AppendMaskedDeflatedFrame(nil, socket.OpText, make([]byte, 999), [4]byte{1}),
		{0xff, 0xff},
	} {
		f.Add(seed, 1)
		f.Add(seed, 1000)
	}
	read := func(octets []byte, size int) (token string, rest int, why *refusal) {
		conn := &pieces{octets: append([]byte(nil), octets...), size: size}
		c := &pendingConn{Conn: conn}
		token, behind, why := c.readToken(nil)
		return token, len(behind) + len(conn.octets), why
	}
	f.Fuzz(func(t *testing.T, octets []byte, size int) {
		token, rest, why := read(octets, len(octets)+1)
		again, restAgain, whyAgain := read(octets, 1+(size&0xff))
		if token != again || (why == nil) != (whyAgain == nil) {
			t.Fatalf("token %q (%v), and in pieces %q (%v)", token, why, again, whyAgain)
		}
		if why == nil {
			if rest != restAgain {
				t.Fatalf("%d octets are left, and in pieces %d", rest, restAgain)
			}
			return
		}
		if token != "" || why.reason != whyAgain.reason || why.code != whyAgain.code {
			t.Fatalf("token %q, %+v, and in pieces %+v", token, why, whyAgain)
		}
		if code := uint16(why.code); !why.code.Valid() && code != socket.CloseNoStatus && code != socket.CloseAbnormal {
			t.Fatalf("closed with %d", code)
		}
	})
}
