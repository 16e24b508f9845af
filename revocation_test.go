package realtime_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/realtimetest"
	"boundary-app.org/realtime/wire"
)

// revoke revokes, and fails the test unless so many connections are closed.
func revoke(t *testing.T, svc *realtime.Service, r realtime.Revocation, closed int) {
	t.Helper()
	if receipt, err := svc.Revoke(t.Context(), r); err != nil || receipt.Recipients != closed {
		t.Fatalf("revoke %+v: %+v, %v; want %d connections", r, receipt, err, closed)
	}
}

// wantsNoConnection revokes by a connection that there is not.
func wantsNoConnection(t *testing.T, svc *realtime.Service, id string) {
	t.Helper()
	receipt, err := svc.Revoke(t.Context(), realtime.Revocation{Connection: id})
	if !errors.Is(err, realtime.ErrNoConnection) || receipt.Recipients != 0 {
		t.Errorf("revoke by connection: %+v, %v; want ErrNoConnection", receipt, err)
	}
	for _, other := range []error{realtime.ErrInvalidTarget, realtime.ErrInvalidRevocation, realtime.ErrClosed, realtime.ErrUnauthorized} {
		if errors.Is(err, other) {
			t.Errorf("the error matches %v", other)
		}
	}
}

// refused reports whether a token is refused as revoked, in every way there is.
func refused(t *testing.T, svc *realtime.Service, token string) bool {
	t.Helper()
	status, header, text := ask(t, svc.Handler(realtime.HandlerOptions{}), upgrading("/?token="+token))
	_, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Token: token})
	revoked := errors.Is(err, realtime.ErrRevoked)
	if revoked && (status != 401 || text != "unauthorized: revoked" || header.Get("Www-Authenticate") == "" || !errors.Is(err, realtime.ErrUnauthorized)) {
		t.Errorf("it is revoked, and answered %d %q; connect: %v", status, text, err)
	}
	if !revoked && (status != 500 || err != nil) { // a recorder cannot be hijacked: the token was accepted
		t.Errorf("it is not revoked, and answered %d %q; connect: %v", status, text, err)
	}
	return revoked
}

// with returns claims with others in the place of some; nil stands for none.
func (c claims) with(others claims) claims {
	c = maps.Clone(c)
	for name, value := range others {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

// issued returns the claims of a token of an hour ago, always the same.
func issued() claims {
	now := time.Now()
	return claims{"sub": "u1", "jti": "t1", "iat": now.Add(-time.Hour).Unix(), "exp": now.Add(time.Hour).Unix()}
}

// Each kind of revocation closes what it names, and nobody else, with 4503, and
// keeps out the tokens that it covers, and no others.
func TestRevoke(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		old := issued()
		bare, undated, another := old.with(claims{"jti": nil}), old.with(claims{"iat": nil, "jti": "t2"}), old.with(claims{"sub": "u2", "jti": "t2"})
		ahead := old.with(claims{"iat": time.Now().Add(29 * time.Second).Unix()})
		connection := func(id string) realtime.Revocation { return realtime.Revocation{Connection: id} }
		for name, c := range map[string]struct {
			mine   claims
			what   func(connection string) realtime.Revocation
			others []claims // are refused too
			good   []claims // are not
		}{
			"user": {
				old, func(string) realtime.Revocation { return realtime.Revocation{User: "u1"} },
				[]claims{bare, undated, ahead},
				[]claims{another},
			},
			"token id": {
				old, func(string) realtime.Revocation { return realtime.Revocation{TokenID: "t1"} },
				[]claims{old.with(claims{"sub": "u2"}), old.with(claims{"role": "x"})},
				[]claims{bare, undated, another},
			},
			"connection": {
				old, connection,
				[]claims{old.with(claims{"sub": "u2"}), old.with(claims{"role": "x"})},
				[]claims{bare, undated, another},
			},
			"connection without token id": {
				bare, connection,
				nil,
				[]claims{old, bare.with(claims{"role": "x"}), bare.with(claims{"sub": "u2"}), another},
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := startOver(t, w, realtime.Options{}, realtime.HandlerOptions{})
				mine := s.dial(t, c.mine)
				var good []*client
				for _, other := range c.good {
					good = append(good, s.dial(t, other))
				}
				revoke(t, s.Service, c.what(mine.id), 1)
				if reason := mine.wantsClose(4503); reason != "revoked" {
					t.Errorf("the reason is %q", reason)
				}
				for _, revoked := range append(c.others, c.mine) {
					if !refused(t, s.Service, token(t, revoked)) {
						t.Errorf("%v is not refused", revoked)
					}
				}
				for i, other := range c.good {
					good[i].wantsNothing()
					if refused(t, s.Service, token(t, other)) {
						t.Errorf("%v is refused", other)
					}
				}
				if n := metric(t, s.Service, "realtime_revocations"); n != 1 {
					t.Errorf("%v revocations are counted", n)
				}
			})
		}
	})
}

// All connections of a token are closed, whichever of them was named.
func TestRevokeClosesAllOfATokensConnections(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]claims{"with id": issued(), "without": issued().with(claims{"jti": nil})} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, realtime.Options{}, realtime.HandlerOptions{})
			a, b := s.dial(t, c), s.dial(t, c)
			revoke(t, s.Service, realtime.Revocation{Connection: b.id, Reason: "stolen"}, 2)
			for _, client := range []*client{a, b} {
				if reason := client.wantsClose(4503); reason != "stolen" {
					t.Errorf("the reason is %q", reason)
				}
			}
			wantsNoConnection(t, s.Service, b.id)
		})
	}
}

// A browser, which sees no status, is told by a code.
func TestRevokedSubprotocolClient(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{TokenInMessage: true})
	revoke(t, s.Service, realtime.Revocation{User: "u1"}, 0)
	target := "/?token=" + token(t, user("u1"))
	wantsRefusal(t, dialRaw(t, s, upgrading(target, "Sec-Websocket-Protocol", wire.Subprotocol)), 4500, "unauthorized: revoked")
	stranger := dialRaw(t, s, upgrading("/"))
	stranger.send(socket.OpText, connecting(token(t, user("u1"))))
	wantsRefusal(t, stranger, 4500, "unauthorized: revoked")
	if n := metric(t, s.Service, "realtime_refusals_total"); n != 2 {
		t.Errorf("%v refusals are counted", n)
	}
}

// An identity that an application brings itself is treated alike.
func TestRevokedIdentity(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	connect := func(id realtime.Identity) (*realtime.Conn, error) {
		return svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: &id})
	}
	old := time.Now().Add(-time.Hour)
	c, err := connect(realtime.Identity{UserID: "u1", Roles: []string{"a", "b"}, IssuedAt: old})
	if err != nil {
		t.Fatal(err)
	}
	revoke(t, svc, realtime.Revocation{Connection: c.ID()}, 1)
	if _, err := connect(realtime.Identity{UserID: "u1", Roles: []string{"a", "b"}, IssuedAt: old}); !errors.Is(err, realtime.ErrRevoked) {
		t.Errorf("the same identity: %v", err)
	}
	if _, err := connect(realtime.Identity{UserID: "u1", Roles: []string{"a"}, IssuedAt: old}); err != nil {
		t.Errorf("another: %v", err)
	}
	revoke(t, svc, realtime.Revocation{User: "u1"}, 1)
	if _, err := connect(realtime.Identity{UserID: "u1", IssuedAt: time.Now().Add(time.Minute)}); err != nil {
		t.Errorf("signed in anew: %v", err)
	}
}

func TestRevocationsThatCannotBe(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	for name, c := range map[string]struct {
		r    realtime.Revocation
		want error
		text string
	}{
		"nothing":       {realtime.Revocation{}, realtime.ErrInvalidRevocation, "name one of user, connection and token id; it names 0"},
		"two":           {realtime.Revocation{User: "u1", TokenID: "t1"}, realtime.ErrInvalidRevocation, "it names 2"},
		"in the past":   {realtime.Revocation{User: "u1", Until: time.Now()}, realtime.ErrInvalidRevocation, "leave its end out"},
		"control":       {realtime.Revocation{User: "a\n"}, realtime.ErrInvalidTarget, "user id"},
		"long token id": {realtime.Revocation{TokenID: strings.Repeat("x", 256)}, realtime.ErrInvalidTarget, "token id"},
		"connection":    {realtime.Revocation{Connection: "\xff"}, realtime.ErrInvalidTarget, "connection id"},
	} {
		receipt, err := svc.Revoke(t.Context(), c.r)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || receipt.Recipients != 0 {
			t.Errorf("%s: %+v, %v", name, receipt, err)
		}
	}
	if n := metric(t, svc, "realtime_revocations"); n != 0 {
		t.Errorf("%v revocations are counted", n)
	}
	wantsNoConnection(t, svc, "no such connection")
	_ = svc.Shutdown(t.Context())
	if _, err := svc.Revoke(t.Context(), realtime.Revocation{User: "u1"}); !errors.Is(err, realtime.ErrShutdown) {
		t.Errorf("after shutdown: %v", err)
	}
}

// It is logged, without whom it is about.
func TestRevocationIsLogged(t *testing.T) {
	t.Parallel()
	log := &journal{}
	s := start(t, realtime.Options{Log: log.logger()}, realtime.HandlerOptions{})
	c := s.dial(t, claims{"sub": "person@example.com", "jti": "secret-id"})
	revoke(t, s.Service, realtime.Revocation{TokenID: "secret-id"}, 1)
	revoke(t, s.Service, realtime.Revocation{User: "person@example.com"}, 0)
	c.wantsClose(4503)
	_ = s.Shutdown(t.Context())
	text := log.String()
	for _, line := range []string{`level=INFO msg="tokens were revoked" by="token id" connections=1`, `by=user connections=0`} {
		if !strings.Contains(text, line) {
			t.Errorf("the log lacks %s:\n%s", line, text)
		}
	}
	if strings.Contains(text, "person@") || strings.Contains(text, "secret-id") {
		t.Errorf("the log: %s", text)
	}
}

// A connection that is just ending is either found, and then its token is revoked,
// or it is not, and the caller learns that the token still counts.
func TestRevokeAnEndingConnection(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	for round := range 500 {
		id := &realtime.Identity{UserID: "u1", TokenID: fmt.Sprint(round)}
		connect := func() (*realtime.Conn, error) {
			return svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id})
		}
		c, err := connect()
		if err != nil {
			t.Fatal(err)
		}
		var closing sync.WaitGroup
		closing.Go(func() { c.Close(0, "") })
		receipt, err := svc.Revoke(t.Context(), realtime.Revocation{Connection: c.ID()})
		closing.Wait()
		_, again := connect()
		switch {
		case err == nil && (receipt.Recipients != 1 || !errors.Is(again, realtime.ErrRevoked)):
			t.Fatalf("%d were found, and the token: %v", receipt.Recipients, again)
		case err != nil && (!errors.Is(err, realtime.ErrNoConnection) || again != nil):
			t.Fatalf("revoke: %v, and the token: %v", err, again)
		}
	}
}

// What a client has sent before its token was revoked, and still waits, is not
// handled any more; its end is.
func TestRevokeDropsWhatWaits(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		heard, goOn, ended := make(chan string, 20), make(chan struct{}), make(chan realtime.CloseCode, 1)
		s := startOver(t, w, realtime.Options{}, realtime.HandlerOptions{
			OnMessage: func(_ context.Context, _ *realtime.Conn, data []byte) {
				heard <- string(data)
				<-goOn
			},
			OnClose: func(_ context.Context, _ *realtime.Conn, code realtime.CloseCode, _ string) { ended <- code },
		})
		c := s.dial(t, user("u1"))
		for i := range 10 {
			c.send(fmt.Sprint("message ", i))
		}
		eventually(t, heard, "the first message")
		waitsFor(t, s, 10)
		revoke(t, s.Service, realtime.Revocation{User: "u1"}, 1)
		close(goOn)
		if code := eventually(t, ended, "OnClose"); code != 4503 || len(heard) > 0 {
			t.Errorf("ended with %d; OnMessage was called for %d more", code, len(heard))
		}
	})
}

// waitsFor waits until the service has so many messages of clients.
func waitsFor(t *testing.T, s *server, messages float64) {
	t.Helper()
	for end := time.Now().Add(patience); metric(t, s.Service, "realtime_messages_received_total") < messages; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("in vain waited for messages to be received")
		}
	}
}

// verifying is a verifier at whose end a test is told, and waits.
func verifying(reached chan<- struct{}, goOn <-chan struct{}) realtime.Verifier {
	return auth.VerifierFunc(func(_ context.Context, user string) (*realtime.Identity, error) {
		reached <- struct{}{}
		<-goOn
		return &realtime.Identity{UserID: user}, nil
	})
}

// Who was verified before a revocation is refused after it.
func TestRevokedWhileVerifying(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reached, goOn := make(chan struct{}), make(chan struct{})
		svc := newService(t, realtime.Options{Verifier: verifying(reached, goOn)})
		ended := make(chan error)
		go func() {
			_, err := svc.Connect(context.Background(), &realtimetest.Recorder{}, realtime.ConnectOptions{Token: "u1"})
			ended <- err
		}()
		<-reached
		revoke(t, svc, realtime.Revocation{User: "u1"}, 0)
		close(goOn)
		if err := <-ended; !errors.Is(err, realtime.ErrRevoked) {
			t.Errorf("connect: %v", err)
		}
	})
}

// Who connects through an application's own transport learns that the token was
// revoked meanwhile; the transport has been closed.
func TestRevokedWhileOpening(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	recorder := &realtimetest.Recorder{}
	c, err := svc.Connect(t.Context(), recorder, realtime.ConnectOptions{
		Identity: &realtime.Identity{UserID: "u1"},
		HandlerOptions: realtime.HandlerOptions{OnOpen: func(ctx context.Context, _ *realtime.Conn) error {
			revoke(t, svc, realtime.Revocation{User: "u1"}, 1)
			return nil
		}},
	})
	if c != nil || !errors.Is(err, realtime.ErrRevoked) {
		t.Errorf("connect: %v, %v; want ErrRevoked", c, err)
	}
	if code, _, err := recorder.WaitClosed(t.Context()); code != 4503 || err != nil {
		t.Errorf("closed with %d (%v), want 4503", code, err)
	}
	if n := svc.ConnectionCount(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

// No connection that is made at the same time as a revocation survives it.
func TestRevokeLeavesNoGap(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	var wg sync.WaitGroup
	for round := range 600 {
		name := fmt.Sprint(round)
		id := &realtime.Identity{UserID: name, TokenID: name, IssuedAt: time.Now().Add(-time.Hour)}
		var begin, done sync.WaitGroup
		begin.Add(1)
		for range 4 {
			done.Go(func() {
				begin.Wait()
				_, err := svc.Connect(context.Background(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id})
				if err != nil && !errors.Is(err, realtime.ErrRevoked) {
					t.Error(err)
				}
			})
		}
		done.Go(func() {
			begin.Wait()
			r := []realtime.Revocation{{User: name}, {TokenID: name}}[round%2]
			if _, err := svc.Revoke(context.Background(), r); err != nil {
				t.Error(err)
			}
		})
		begin.Done()
		wg.Go(func() {
			done.Wait()
			if conns := svc.Connections(realtime.User(name)); len(conns) > 0 {
				t.Errorf("round %d: %d connections survived", round, len(conns))
			}
		})
	}
	wg.Wait()
}

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
