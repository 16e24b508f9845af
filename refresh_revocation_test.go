package realtime_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/realtimetest"
)

// Who revokes a connection revokes every token that it has used, on all nodes; by
// one token's id only who uses that one now is closed.
func TestRevokeARefreshedConnection(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		now := time.Now()
		base := claims{"sub": "u1", "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()}
		var used []claims
		for i := range 4 {
			used = append(used, base.with(claims{"jti": fmt.Sprint("t", i)}))
		}
		used = append(used, base, base.with(claims{"exp": now.Add(2 * time.Hour).Unix()})) // without ids
		other := base.with(claims{"jti": "other"})
		a, b := cluster(t, w, realtime.HandlerOptions{})
		mine := b.dial(t, used[0])
		for _, c := range used[1:] {
			if reply := mine.refreshed(t, token(t, c)); reply["ok"] != true {
				t.Fatal(reply)
			}
		}
		onA, spared := a.dial(t, used[2]), a.dial(t, other)
		revoke(t, a.Service, realtime.Revocation{TokenID: "t0"}, 0)
		revoke(t, a.Service, realtime.Revocation{Connection: mine.id}, 2)
		mine.wantsClose(4503)
		onA.wantsClose(4503)
		spared.wantsNothing()
		for _, c := range used {
			for name, s := range map[string]*server{"a": a, "b": b} {
				if !refused(t, s.Service, token(t, c)) {
					t.Errorf("%s takes the token %v", name, c)
				}
			}
		}
		if refused(t, a.Service, token(t, other)) {
			t.Error("another token of the user is refused")
		}
	})
}

// refresher is a client in virtual time. Its tokens say their id and their life, as
// "t1 10m".
func refresher(t *testing.T) (svc *realtime.Service, refresh func(token string) error) {
	t.Helper()
	verify := func(_ context.Context, token string) (*realtime.Identity, error) {
		name, life, _ := strings.Cut(token, " ")
		lives, err := time.ParseDuration(life)
		if err != nil {
			return nil, err
		}
		return &realtime.Identity{UserID: "u1", TokenID: name, ExpiresAt: time.Now().Add(lives)}, nil
	}
	svc = newService(t, realtime.Options{PingInterval: -1, Verifier: auth.VerifierFunc(verify)})
	recorder, frames := &realtimetest.Recorder{}, 1
	c, err := svc.Connect(t.Context(), recorder, realtime.ConnectOptions{Token: "first 1h"})
	if err != nil {
		t.Fatal(err)
	}
	return svc, func(token string) error {
		if err := c.Receive(t.Context(), []byte(`{"action":"refresh","token":"`+token+`"}`)); err != nil {
			return err
		}
		frames++
		all, err := recorder.WaitFrames(t.Context(), frames)
		if text := string(all[frames-1].Text); err == nil && !strings.Contains(text, `"ok":true`) {
			err = errors.New(text)
		}
		return err
	}
}

// A connection remembers 64 tokens that have not expired; then it has to reconnect.
// Tokens that have expired do not count, nor does one that comes again.
func TestTooManyRefreshes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc, refresh := refresher(t)
		must := func(token string) {
			t.Helper()
			if err := refresh(token); err != nil {
				t.Fatalf("%s: %v", token, err)
			}
		}
		for range 100 {
			must("again 1h")
			must("first 1h")
		}
		for i := range 62 {
			must(fmt.Sprint("short", i, " 10m"))
		}
		must("current 10h")
		if err := refresh("more 1h"); err == nil || !strings.Contains(err.Error(), `"code":"forbidden","message":"64 earlier tokens of the connection have not expired, as many as may be; reconnect with the new one"`) {
			t.Errorf("one more: %v", err)
		}
		leeway := time.NewTimer(10*time.Minute + 29*time.Second)
		<-leeway.C
		if err := refresh("more 1h"); err == nil {
			t.Error("tokens within the leeway do not count")
		}
		second := time.NewTimer(time.Second)
		<-second.C
		must("more 1h")
		revoke(t, svc, realtime.Revocation{Connection: svc.Connections(realtime.Everyone())[0].ID()}, 1)
		if n := metric(t, svc, "realtime_revocations"); n != 4 { // first, again, current, more
			t.Errorf("%v tokens are revoked, want 4", n)
		}
	})
}

// The revocation of a connection lasts as long as the longest of its tokens.
func TestRevocationOfEarlierTokensEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		svc, refresh := refresher(t)
		for _, token := range []string{"long 1000h", "short 1h"} {
			if err := refresh(token); err != nil {
				t.Fatal(err)
			}
		}
		revoke(t, svc, realtime.Revocation{Connection: svc.Connections(realtime.Everyone())[0].ID()}, 1)
		almost := time.NewTimer(time.Until(now.Add(1001*time.Hour - time.Second)))
		<-almost.C
		if n := metric(t, svc, "realtime_revocations"); n != 3 {
			t.Errorf("%v revocations are left, want 3", n)
		}
	})
}

// A token that is verified while its connection is revoked is not taken: nobody
// could revoke it with the connection.
func TestRevokedConnectionTakesNoToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reached, goOn := make(chan struct{}), make(chan struct{})
		svc := newService(t, realtime.Options{Verifier: verifying(reached, goOn)})
		recorder := &realtimetest.Recorder{}
		c, err := svc.Connect(t.Context(), recorder, realtime.ConnectOptions{Identity: &realtime.Identity{UserID: "u1", TokenID: "t1"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Receive(t.Context(), []byte(`{"action":"refresh","token":"u1"}`)); err != nil {
			t.Fatal(err)
		}
		<-reached
		revoke(t, svc, realtime.Revocation{Connection: c.ID()}, 1)
		close(goOn)
		synctest.Wait()
		if frames := recorder.Frames(); len(frames) != 1 {
			t.Errorf("the client got %s", frames[1:])
		}
	})
}

// However a refresh and a revocation of its connection meet, no token that the client
// was told is taken gets in afterwards.
func TestRefreshMeetsRevocation(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{Verifier: auth.VerifierFunc(func(_ context.Context, token string) (*realtime.Identity, error) {
		return &realtime.Identity{UserID: "u1", TokenID: token}, nil
	})})
	for round := range 300 {
		recorder := &realtimetest.Recorder{}
		c, err := svc.Connect(t.Context(), recorder, realtime.ConnectOptions{Token: fmt.Sprint(round)})
		if err != nil {
			t.Fatal(err)
		}
		var client sync.WaitGroup
		client.Go(func() {
			for i := range 60 {
				text := fmt.Sprintf(`{"action":"refresh","token":"%d %d"}`, round, i)
				if c.Receive(context.Background(), []byte(text)) != nil {
					return
				}
			}
		})
		if _, err := recorder.WaitFrames(t.Context(), 2+round%10); err != nil {
			t.Fatal(err)
		}
		revoke(t, svc, realtime.Revocation{Connection: c.ID()}, 1)
		client.Wait()
		taken := strings.Count(fmt.Sprintf("%s", recorder.Frames()), `"ok":true`)
		for i := range taken {
			id := &realtime.Identity{UserID: "u1", TokenID: fmt.Sprint(round, " ", i)}
			if _, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id}); !errors.Is(err, realtime.ErrRevoked) {
				t.Fatalf("round %d: of %d tokens that were taken, %d gets in: %v", round, taken, i, err)
			}
		}
	}
}
