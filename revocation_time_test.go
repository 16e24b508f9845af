package realtime_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/bus/bustest"
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
	for name, c := range map[string]struct {
		life time.Duration // of the connection's token
		what func(connection string, now time.Time) realtime.Revocation
		ends time.Duration
	}{
		"default":                  {time.Minute, func(string, time.Time) realtime.Revocation { return realtime.Revocation{User: "u1"} }, day + time.Hour},
		"the token lives longer":   {31 * day, func(string, time.Time) realtime.Revocation { return realtime.Revocation{TokenID: "t1"} }, 31*day + time.Hour},
		"so does the connection's": {31 * day, func(id string, _ time.Time) realtime.Revocation { return realtime.Revocation{Connection: id} }, 31*day + time.Hour},
		"asked for": {31 * day, func(id string, now time.Time) realtime.Revocation {
			return realtime.Revocation{Connection: id, Until: now.Add(day)}
		}, day + time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				id := &realtime.Identity{UserID: "u1", TokenID: "t1", ExpiresAt: now.Add(c.life)}
				svc := newService(t, realtime.Options{PingInterval: -1, Verifier: decided(id, nil)})
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
			c, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id})
			if err != nil {
				t.Fatal(err)
			}
			c.Close(0, "")
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

// The longest of the tokens' lives that any node knows counts on all.
func TestClusterLearnsHowLongARevocationLasts(t *testing.T) {
	for name, what := range map[string]realtime.Revocation{"user": {User: "u1"}, "token id": {TokenID: "t1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				expires := time.Now().Add(31 * day)
				id := &realtime.Identity{UserID: "u1", TokenID: "t1", ExpiresAt: expires}
				opts := realtime.Options{PingInterval: -1, Bus: bus.NewMemory(), Verifier: decided(id, nil)}
				a, b := newService(t, opts), newService(t, opts)
				if _, err := b.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Token: "x"}); err != nil {
					t.Fatal(err)
				}
				hour := time.NewTimer(time.Hour) // since then, no token of that life was accepted
				<-hour.C
				revoke(t, a, what, 1)
				wantsRevokedUntil(t, a, time.Now().Add(31*day+time.Hour))
			})
		})
	}
}

func TestNegativeTokenLeeway(t *testing.T) {
	t.Parallel()
	if _, err := realtime.New(realtime.Options{TokenLeeway: -1}); err == nil || !strings.Contains(err.Error(), "TokenLeeway is negative") {
		t.Errorf("new: %v", err)
	}
}

// A revocation of a connection closes it first. When the bus then fails, the tokens
// stay out all the same: nothing names them any more.
func TestRevocationOfAConnectionOutlivesTheBus(t *testing.T) {
	t.Parallel()
	rejecting := bustest.Intercept(bus.NewMemory(), func(ctx context.Context, n bus.Node, e bus.Envelope) (bus.Receipt, error) {
		if e.Op == bus.Revoke && e.To.Route == bus.Everyone {
			return bus.Receipt{}, bus.ErrRejected
		}
		return n.Publish(ctx, e)
	})
	svc := newService(t, realtime.Options{Bus: rejecting})
	made := token(t, claims{"sub": "u1", "jti": "j1"})
	c, err := svc.Connect(t.Context(), new(realtimetest.Recorder), realtime.ConnectOptions{Token: made})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := svc.Revoke(t.Context(), realtime.Revocation{Connection: c.ID()}); !errors.Is(err, bus.ErrRejected) {
		t.Errorf("Revoke returned %v, want ErrRejected", err)
	}
	if _, err := svc.Connect(t.Context(), new(realtimetest.Recorder), realtime.ConnectOptions{Token: made}); !errors.Is(err, realtime.ErrRevoked) {
		t.Errorf("the token connects with %v, want ErrRevoked", err)
	}
}

// An expiry that JSON cannot write is no obstacle to a revocation.
func TestRevocationOfAnEndlessIdentity(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	id := &realtime.Identity{UserID: "u1", TokenID: "j1", ExpiresAt: time.Date(10001, 1, 1, 0, 0, 0, 0, time.UTC)}
	c, err := svc.Connect(t.Context(), new(realtimetest.Recorder), realtime.ConnectOptions{Identity: id})
	if err != nil {
		t.Fatal(err)
	}
	revoke(t, svc, realtime.Revocation{Connection: c.ID()}, 1)
	if _, err := svc.Connect(t.Context(), new(realtimetest.Recorder), realtime.ConnectOptions{Identity: id}); !errors.Is(err, realtime.ErrRevoked) {
		t.Errorf("the identity connects with %v, want ErrRevoked", err)
	}
}
