package realtime_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/realtimetest"
)

const day = 24 * time.Hour

// wantsRevokedUntil shows that the token "x" is refused until then, and no longer.
func wantsRevokedUntil(t *testing.T, svc *realtime.Service, end time.Time) {
	t.Helper()
	almost := time.NewTimer(time.Until(end) - time.Second)
	<-almost.C
	if !refused(t, svc, "x") {
		t.Error("it ends too early")
	}
	second := time.NewTimer(time.Second)
	<-second.C
	if refused(t, svc, "x") {
		t.Error("it does not end")
	}
	if n := metric(t, svc, "realtime_revocations"); n != 0 {
		t.Errorf("%v revocations are counted", n)
	}
}

// A revocation lasts an hour longer than the tokens may, or than was asked for;
// repeating it extends it.
func TestRevocationEnds(t *testing.T) {
	user := func(string, time.Time) realtime.Revocation { return realtime.Revocation{User: "u1"} }
	connection := func(id string, _ time.Time) realtime.Revocation { return realtime.Revocation{Connection: id} }
	for name, c := range map[string]struct {
		opts realtime.Options
		life time.Duration // of the connection's token; 0: for ever
		what func(connection string, now time.Time) realtime.Revocation
		ends time.Duration
	}{
		"default":      {realtime.Options{}, time.Minute, user, day + time.Hour},
		"for ever":     {realtime.Options{}, 0, user, day + time.Hour},
		"great leeway": {realtime.Options{TokenLeeway: time.Hour}, time.Minute, user, day + 2*time.Hour},
		"own default": {realtime.Options{TokenLifetime: time.Hour}, time.Minute, func(string, time.Time) realtime.Revocation {
			return realtime.Revocation{TokenID: "t1"}
		}, 2 * time.Hour},
		"the user's token lives longer":       {realtime.Options{}, 31 * day, user, 31*day + time.Hour},
		"connection":                          {realtime.Options{}, time.Minute, connection, day + time.Hour},
		"the connection's token lives longer": {realtime.Options{}, 31 * day, connection, 31*day + time.Hour},
		"asked for": {realtime.Options{}, 31 * day, func(_ string, now time.Time) realtime.Revocation {
			return realtime.Revocation{User: "u1", Until: now.Add(time.Minute)}
		}, time.Minute + time.Hour},
		"asked for, of a connection": {realtime.Options{}, 31 * day, func(id string, now time.Time) realtime.Revocation {
			return realtime.Revocation{Connection: id, Until: now.Add(day)}
		}, day + time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				id := &realtime.Identity{UserID: "u1", TokenID: "t1"}
				if c.life > 0 {
					id.ExpiresAt = now.Add(c.life)
				}
				opts := c.opts
				opts.PingInterval, opts.Verifier = -1, decided(id, nil)
				svc := newService(t, opts)
				client, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Token: "x"})
				if err != nil {
					t.Fatal(err)
				}
				revoke(t, svc, c.what(client.ID(), now), 1)
				revoke(t, svc, realtime.Revocation{User: "u1", Until: now.Add(time.Second)}, 0)
				wantsRevokedUntil(t, svc, now.Add(c.ends))
			})
		})
	}
}

// What any accepted token says of the life of tokens counts, whosever it is and
// however it came.
func TestRevocationKnowsTheLifeOfTokens(t *testing.T) {
	for name, use := range map[string]func(t *testing.T, svc *realtime.Service, expires time.Time){
		"connect": func(t *testing.T, svc *realtime.Service, expires time.Time) {
			id := &realtime.Identity{UserID: "u2", ExpiresAt: expires}
			if _, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id}); err != nil {
				t.Error(err)
			}
		},
		"refresh": func(t *testing.T, svc *realtime.Service, _ time.Time) {
			recorder := &realtimetest.Recorder{}
			c, err := svc.Connect(t.Context(), recorder, realtime.ConnectOptions{Identity: &realtime.Identity{UserID: "u1"}})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Receive(t.Context(), []byte(`{"action":"refresh","token":"x"}`)); err != nil {
				t.Error(err)
			}
			if _, err := recorder.WaitFrames(t.Context(), 2); err != nil {
				t.Error(err)
			}
			c.Close(0, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				month := start.Add(31 * day)
				svc := newService(t, realtime.Options{PingInterval: -1, Verifier: decided(&realtime.Identity{UserID: "u1", ExpiresAt: month}, nil)})
				use(t, svc, month)
				hour := time.NewTimer(time.Hour)
				<-hour.C
				revoke(t, svc, realtime.Revocation{User: "u1"}, 0)
				wantsRevokedUntil(t, svc, time.Now().Add(31*day+time.Hour))
			})
		})
	}
}

// A token that is verified with a leeway does not come back once it has expired,
// neither at the default end nor at one that is its expiry.
func TestRevokedTokensStayOut(t *testing.T) {
	for name, what := range map[string]func(expires time.Time) realtime.Revocation{
		"user":     func(time.Time) realtime.Revocation { return realtime.Revocation{User: "u1"} },
		"token id": func(time.Time) realtime.Revocation { return realtime.Revocation{TokenID: "t1"} },
		"until":    func(expires time.Time) realtime.Revocation { return realtime.Revocation{TokenID: "t1", Until: expires} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				svc := newService(t, realtime.Options{PingInterval: -1, TokenLifetime: time.Hour})
				expires := time.Now().Add(time.Hour)
				mine := token(t, claims{"sub": "u1", "jti": "t1", "iat": time.Now().Unix(), "exp": expires.Unix()})
				revoke(t, svc, what(expires), 0)
				for _, after := range []time.Duration{-time.Second, 0, 15 * time.Second, 29 * time.Second} {
					wait := time.NewTimer(time.Until(expires.Add(after)))
					<-wait.C
					if !refused(t, svc, mine) {
						t.Errorf("it gets in %v after its expiry", after)
					}
				}
			})
		})
	}
}

// On a cluster the node that closes a connection with a long-lived token tells the
// others that the revocation lasts longer. That closes nobody: who has signed in
// anew since stays.
func TestClusterLearnsHowLongARevocationLasts(t *testing.T) {
	for name, what := range map[string]realtime.Revocation{"user": {User: "u1"}, "token id": {TokenID: "t1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				id := &realtime.Identity{UserID: "u1", TokenID: "t1", ExpiresAt: now.Add(31 * day)}
				shared, release := bus.NewMemory(), make(chan struct{})
				slow := slowBus(shared, release)
				opts := realtime.Options{PingInterval: -1, Bus: shared, Verifier: decided(id, nil)}
				a := newService(t, opts)
				opts.Bus = slow
				b := newService(t, opts)
				if _, err := b.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Token: "x"}); err != nil {
					t.Fatal(err)
				}
				revoke(t, a, what, 1)
				anew := &realtime.Identity{UserID: "u1", IssuedAt: now.Add(time.Minute)}
				c, err := a.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: anew})
				if err != nil {
					t.Fatal(err)
				}
				close(release)
				synctest.Wait()
				if a.Connection(c.ID()) == nil {
					t.Error("who has signed in anew is closed")
				}
				wantsRevokedUntil(t, a, now.Add(31*day+time.Hour))
			})
		})
	}
}

// What was issued by a clock that is ahead, as far as that is allowed for, counts
// as issued before; a connection is closed in any case.
func TestRevocationOfAUserAndClocks(t *testing.T) {
	for _, test := range []struct {
		leeway, ahead time.Duration
		out           bool
	}{
		{0, 30 * time.Second, true},
		{0, 31 * time.Second, false},
		{time.Second, 30 * time.Second, true},
		{5 * time.Minute, 5 * time.Minute, true},
		{5 * time.Minute, 301 * time.Second, false},
	} {
		t.Run(fmt.Sprint(test.leeway, " ", test.ahead), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				verifier, err := auth.New(auth.Options{HMACSecret: secret, Leeway: time.Hour})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = verifier.Close() })
				svc := newService(t, realtime.Options{PingInterval: -1, Verifier: verifier, TokenLeeway: test.leeway})
				mine := token(t, claims{"sub": "u1", "iat": time.Now().Add(test.ahead).Unix()})
				recorder := &realtimetest.Recorder{}
				if _, err := svc.Connect(t.Context(), recorder, realtime.ConnectOptions{Token: mine}); err != nil {
					t.Fatal(err)
				}
				revoke(t, svc, realtime.Revocation{User: "u1"}, 1)
				if code, _, err := recorder.WaitClosed(t.Context()); code != 4503 || err != nil {
					t.Errorf("closed with %d (%v)", code, err)
				}
				if out := refused(t, svc, mine); out != test.out {
					t.Errorf("the token is refused: %v, want %v", out, test.out)
				}
			})
		})
	}
}

// A node goes by its own clock where that is ahead of the caller's.
func TestRevocationOfAUserByASlowClock(t *testing.T) {
	t.Parallel()
	shared := bus.NewMemory()
	svc := newService(t, realtime.Options{Bus: shared})
	stranger := joinBus(t, shared)
	now := time.Now()
	body := fmt.Sprintf(`{"keys":[{"kind":"user","value":"u1"}],"user":"u1","at":%d,"until":%d,"reason":"x"}`,
		now.Add(-time.Hour).UnixMilli(), now.Add(time.Hour).UnixMilli())
	if _, err := stranger.Publish(t.Context(), bus.Envelope{To: bus.Address{Route: bus.Everyone}, Op: bus.Revoke, Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
	for ahead, want := range map[time.Duration]bool{0: true, 20 * time.Second: true, time.Minute: false} {
		id := &realtime.Identity{UserID: "u1", IssuedAt: now.Add(ahead)}
		_, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id})
		if errors.Is(err, realtime.ErrRevoked) != want {
			t.Errorf("issued %v later: %v", ahead, err)
		}
	}
}

func TestNegativeTokenLeeway(t *testing.T) {
	t.Parallel()
	if _, err := realtime.New(realtime.Options{TokenLeeway: -1}); err == nil || !strings.Contains(err.Error(), "TokenLeeway is negative") {
		t.Errorf("new: %v", err)
	}
}
