package realtime_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/realtimetest"
)

// R4: open, messages and the close reach their callbacks, in order, each with
// the connection it is about (D6).
func TestLifecycle(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		events := make(chan string, 8)
		note := func(what string, c *realtime.Conn) { events <- what + " " + c.UserID() + " " + c.ID() }
		s := startOver(t, w, realtime.Options{}, realtime.HandlerOptions{
			OnOpen:    func(_ context.Context, c *realtime.Conn) error { note("open", c); return nil },
			OnMessage: func(_ context.Context, c *realtime.Conn, data []byte) { note(string(data), c) },
			OnClose: func(_ context.Context, c *realtime.Conn, code realtime.CloseCode, reason string) {
				if code != 4100 || reason != "enough" {
					t.Errorf("OnClose got %d %q", code, reason)
				}
				note("close", c)
			},
		})
		c := s.dial(t, user("u1"))
		c.send("one")
		c.send("two")
		for _, want := range []string{"open", "one", "two"} {
			if got := eventually(t, events, want); got != want+" u1 "+c.id {
				t.Fatalf("%s, want %s of %s", got, want, c.id)
			}
		}
		s.Connection(c.id).Close(4100, "enough")
		if reason := c.wantsClose(4100); reason != "enough" {
			t.Errorf("reason %q", reason)
		}
		if got := eventually(t, events, "close"); got != "close u1 "+c.id {
			t.Errorf("%s, want close", got)
		}
	})
}

// R4: a client's close and a connection that breaks end it as well.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	closed := make(chan realtime.CloseCode, 1)
	s := start(t, realtime.Options{}, realtime.HandlerOptions{
		OnClose: func(_ context.Context, _ *realtime.Conn, code realtime.CloseCode, _ string) { closed <- code },
	})
	for want, leave := range map[realtime.CloseCode]func(*webSocket){
		3001: func(w *webSocket) { _ = w.conn.Close(3001, "bye") },
		1006: func(w *webSocket) { _ = w.conn.CloseNow() },
	} {
		c := s.dial(t, user("u1"))
		subscribe(t, s, c, "t")
		leave(c.link.(*webSocket))
		if code := eventually(t, closed, "OnClose"); code != want {
			t.Errorf("OnClose got %d, want %d", code, want)
		}
		if s.ConnectionCount() != 0 || s.SubscriptionCount() != 0 || s.TopicCount() != 0 {
			t.Errorf("%d connections, %d subscriptions, %d topics are left", s.ConnectionCount(), s.SubscriptionCount(), s.TopicCount())
		}
	}
}

// R5: what OnOpen returns or throws is logged and swallowed.
func TestOnOpenFails(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		for name, onOpen := range map[string]func(context.Context, *realtime.Conn) error{
			"error": func(context.Context, *realtime.Conn) error { return errors.New("no such order") },
			"panic": func(context.Context, *realtime.Conn) error { panic("no such order") },
		} {
			log := &journal{}
			s := startOver(t, w, realtime.Options{Log: log.logger()}, realtime.HandlerOptions{OnOpen: onOpen})
			c := s.dial(t, user("u1"))
			if _, err := s.SendToUser(t.Context(), "u1", realtime.Message{Type: "x"}); err != nil {
				t.Fatal(err)
			}
			c.wants("x")
			if !strings.Contains(log.String(), "no such order") {
				t.Errorf("%s: not logged: %s", name, log)
			}
		}
	})
}

// A panic of OnMessage ends its own connection with 1011, and nobody else's.
func TestOnMessagePanics(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		s := startOver(t, w, realtime.Options{}, realtime.HandlerOptions{
			OnMessage: func(context.Context, *realtime.Conn, []byte) { panic("oops") },
		})
		bad, good := s.dial(t, user("u1")), s.dial(t, user("u2"))
		bad.send("boom")
		bad.wantsClose(1011)
		good.wantsNothing()
		if n := metric(t, s.Service, "realtime_callback_panics_total"); n != 1 {
			t.Errorf("%v panics were counted, want 1", n)
		}
	})
}

// R6, D2, D6: the record of a connection, under the id the client knows.
func TestConnectionRecord(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		before := time.Now().Truncate(time.Millisecond)
		opened := make(chan string, 1)
		s := startOver(t, w, realtime.Options{PingInterval: 7 * time.Second}, realtime.HandlerOptions{
			OnOpen: func(_ context.Context, c *realtime.Conn) error { opened <- c.ID(); return c.Subscribe("t") },
		})
		expires := time.Now().Add(time.Hour).Truncate(time.Second)
		client := &client{t: t, link: w.dial(t, s, token(t, claims{
			"sub": "u1", "roles": []string{"editor", "admin"}, "email": "person@example.com", "exp": expires.Unix(),
		}))}
		hello := client.read()
		id := <-opened
		if hello["connectionId"] != id || hello["userId"] != "u1" || hello["pingInterval"] != 7000.0 ||
			hello["expiresAt"] != expires.UTC().Format("2006-01-02T15:04:05.000Z") {
			t.Errorf("$connected = %v, connection %s", hello, id)
		}
		info := s.Connection(id).Info()
		slices.Sort(info.Roles)
		if info.ID != id || info.UserID != "u1" || !equal(info.Roles, []string{"admin", "editor"}) ||
			!equal(info.Topics, []string{"t"}) || !info.ExpiresAt.Equal(expires) || info.Metadata["email"] != "person@example.com" {
			t.Errorf("info = %+v", info)
		}
		created := info.CreatedAt.Add(20 * time.Millisecond) // it is kept in steps of 20 ms
		if created.Before(before) || info.CreatedAt.After(time.Now()) || info.Metadata["connectedAt"] != info.CreatedAt {
			t.Errorf("created at %v, metadata %v; connected after %v", info.CreatedAt, info.Metadata, before)
		}
	})
}

// R7, D9: Disconnect closes the socket, removes every trace, and is idempotent.
func TestDisconnect(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		ends := make(chan struct{}, 2)
		s := startOver(t, w, realtime.Options{}, realtime.HandlerOptions{
			OnClose: func(context.Context, *realtime.Conn, realtime.CloseCode, string) { ends <- struct{}{} },
		})
		c := s.dial(t, user("u1", "r"))
		subscribe(t, s, c, "t")
		if _, err := s.SendToUser(t.Context(), "u1", realtime.Message{Type: "last"}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{1, 0} {
			receipt, err := s.Disconnect(t.Context(), realtime.User("u1"), 0, "you are out")
			if err != nil || receipt.Recipients != want {
				t.Errorf("%+v, %v; want %d", receipt, err, want)
			}
		}
		if s.ConnectionCount() != 0 || s.Connection(c.id) != nil || s.SubscriptionCount() != 0 || s.TopicCount() != 0 ||
			len(s.Connections(realtime.Role("r"))) != 0 {
			t.Error("it is still found")
		}
		c.wants("last")
		if reason := c.wantsClose(4503); reason != "you are out" {
			t.Errorf("reason %q", reason)
		}
		eventually(t, ends, "OnClose")
		if len(ends) != 0 {
			t.Error("OnClose was called twice")
		}
	})
}

func TestDisconnectRefusesCodesThatMustNotTravel(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	for _, code := range []realtime.CloseCode{1, 999, 1004, 1005, 1006, 1015, 2999, 5000} {
		if _, err := s.Disconnect(t.Context(), realtime.Everyone(), code, ""); err == nil {
			t.Errorf("%d was taken", code)
		}
	}
	if _, err := s.Disconnect(t.Context(), realtime.User(""), 0, ""); !errors.Is(err, realtime.ErrInvalidTarget) {
		t.Errorf("no user: %v", err)
	}
}

// Conn.Close sends a code that a client may see, also when it is given none.
func TestCloseWithoutCode(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	for given, want := range map[realtime.CloseCode]realtime.CloseCode{0: 1000, 999: 1011, 65535: 1011, 1006: 1005, 4242: 4242} {
		c := s.dial(t, user("u1"))
		s.Connection(c.id).Close(given, "")
		c.wantsClose(want)
	}
}

// D7: a subscription of a connection that has ended is refused and leaks nothing.
func TestSubscribeAfterTheEnd(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		s := startOver(t, w, realtime.Options{}, realtime.HandlerOptions{})
		c := s.dial(t, user("u1"))
		conn := s.Connection(c.id)
		conn.Close(4503, "")
		if err := conn.Subscribe("t"); !errors.Is(err, realtime.ErrClosed) {
			t.Errorf("Subscribe: %v, want ErrClosed", err)
		}
		if receipt, err := s.Subscribe(t.Context(), realtime.Connection(c.id), "t"); err != nil || receipt.Recipients != 0 {
			t.Errorf("Service.Subscribe: %+v, %v; want no recipient", receipt, err)
		}
		if err := conn.Send(realtime.Message{Type: "x"}); !errors.Is(err, realtime.ErrClosed) {
			t.Errorf("Send: %v, want ErrClosed", err)
		}
		if errors.Join(conn.Write(nil), conn.WriteBinary(nil)) == nil || !errors.Is(conn.Receive(t.Context(), nil), realtime.ErrClosed) {
			t.Error("Write, WriteBinary or Receive worked")
		}
		if conn.Unsubscribe("t") || conn.UnsubscribeAll() != 0 || len(conn.Topics()) != 0 {
			t.Error("it has a subscription")
		}
		if s.SubscriptionCount() != 0 || s.TopicCount() != 0 {
			t.Errorf("%d subscriptions, %d topics leaked", s.SubscriptionCount(), s.TopicCount())
		}
	})
}

// D7: also when the connection is closed by its own OnOpen.
func TestClosedByOnOpen(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	s := start(t, realtime.Options{}, realtime.HandlerOptions{
		OnOpen: func(_ context.Context, c *realtime.Conn) error {
			if err := c.Subscribe("t"); err != nil {
				return err
			}
			c.Close(4507, "not you")
			failed <- c.Subscribe("u")
			return nil
		},
	})
	dialRaw(t, s, upgrading("/?token="+token(t, user("u1")))).wantsClose(4507)
	if err := <-failed; !errors.Is(err, realtime.ErrClosed) {
		t.Errorf("subscribe: %v, want ErrClosed", err)
	}
	if s.SubscriptionCount() != 0 || s.ConnectionCount() != 0 {
		t.Errorf("%d subscriptions, %d connections leaked", s.SubscriptionCount(), s.ConnectionCount())
	}
}

// D8: what is sent while OnOpen runs follows $connected, in order.
func TestSendsDuringOnOpen(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		var s *server
		ready := make(chan struct{})
		handler := realtime.HandlerOptions{OnOpen: func(ctx context.Context, c *realtime.Conn) error {
			<-ready
			_, err1 := s.SendToUser(ctx, "u1", realtime.Message{Type: "1"})
			err2 := c.Send(realtime.Message{Type: "2"})
			err3 := c.Subscribe("t")
			_, err4 := s.PublishToTopic(ctx, "t", realtime.Message{Type: "3"})
			_, err5 := s.Broadcast(ctx, realtime.Message{Type: "4"})
			return errors.Join(err1, err2, err3, err4, err5)
		}}
		s = startOver(t, w, realtime.Options{}, handler)
		close(ready)
		c := s.dial(t, user("u1"))
		c.wants("1", "2", "3", "4")
	})
}

// D8: whoever has seen $connected hears what is published to the topics that
// OnOpen subscribed.
func TestPublishRightAfterConnected(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		s := startOver(t, w, realtime.Options{}, realtime.HandlerOptions{
			OnOpen: func(_ context.Context, c *realtime.Conn) error { return c.Subscribe("t") },
		})
		for range 20 {
			c := s.dial(t, user("u1"))
			receipt, err := s.PublishToTopic(t.Context(), "t", realtime.Message{Type: "x"})
			if err != nil || receipt.Recipients != 1 {
				t.Fatalf("%+v, %v; want one recipient", receipt, err)
			}
			c.wants("x")
			s.Connection(c.id).Close(4503, "")
			c.wantsClose(4503)
		}
	})
}

// The context of OnOpen has the values of the request and outlives it.
func TestOnOpenContext(t *testing.T) {
	t.Parallel()
	type tenant struct{}
	got := make(chan any, 1)
	svc := newService(t, realtime.Options{})
	h := svc.Handler(realtime.HandlerOptions{
		OnOpen: func(ctx context.Context, _ *realtime.Conn) error { got <- ctx.Value(tenant{}); return ctx.Err() },
	})
	r := upgrading("/?token=" + token(t, user("u1")))
	ctx, cancel := context.WithCancel(context.WithValue(r.Context(), tenant{}, "t1"))
	cancel()
	dialPipe(t, h, r.WithContext(ctx)).wants("$connected")
	if v := <-got; v != "t1" {
		t.Errorf("the context holds %v, want the request's value", v)
	}
}

// blocking is a Transport whose Send returns an error once its client is let go.
type blocking struct {
	realtimetest.Recorder
	gone <-chan struct{}
}

func (b *blocking) Send(text []byte) error {
	_ = b.Recorder.Send(text)
	<-b.gone
	return errors.New("the client is gone")
}

// connectAt connects a client of an address by a Transport.
func connectAt(svc *realtime.Service, address, user string) error {
	opts := realtime.ConnectOptions{Identity: &realtime.Identity{UserID: user}}
	if address != "" {
		opts.Address = netip.MustParseAddr(address)
	}
	_, err := svc.Connect(context.Background(), &realtimetest.Recorder{}, opts)
	return err
}

// The connections of Transports count for their addresses, together with WebSockets;
// one without an address does not.
func TestTransportsCountForTheirAddress(t *testing.T) {
	opts := realtime.Options{PingInterval: -1, Limits: realtime.Limits{ConnectionsPerAddress: 2}}
	inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		dial(user("u1")) // from 192.0.2.1
		if err := connectAt(svc, "::ffff:192.0.2.1", "u2"); err != nil {
			t.Fatal(err)
		}
		if err := connectAt(svc, "192.0.2.1", "u3"); !errors.Is(err, realtime.ErrTooManyConnections) {
			t.Errorf("one more: %v", err)
		}
		status, _, _ := ask(t, svc.Handler(realtime.HandlerOptions{}), upgrading("/?token="+token(t, user("u4"))))
		if status != 429 {
			t.Errorf("a WebSocket more: %d", status)
		}
		for range 3 {
			if err := errors.Join(connectAt(svc, "", "u5")); err != nil {
				t.Error(err)
			}
		}
		if err := connectAt(svc, "192.0.2.2", "u6"); err != nil {
			t.Error(err)
		}
		if n := metric(t, svc, "realtime_refusals_total"); n != 2 {
			t.Errorf("%v refusals are counted", n)
		}
	})
}

// A Transport passes the limits before its token is looked at, and is refused as
// any other client is.
func TestConnectIsRefused(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{Limits: realtime.Limits{Connections: 1, ConnectionsPerUser: 1, RejectNewest: true}})
	connect := func(opts realtime.ConnectOptions) error {
		_, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, opts)
		return err
	}
	if err := connect(realtime.ConnectOptions{Token: "bad"}); !errors.Is(err, realtime.ErrUnauthorized) {
		t.Errorf("a bad token: %v", err)
	}
	if err := connect(realtime.ConnectOptions{Token: token(t, user("u1"))}); err != nil {
		t.Errorf("a good token: %v", err)
	}
	if err := connect(realtime.ConnectOptions{Token: "bad"}); !errors.Is(err, realtime.ErrTooManyConnections) {
		t.Errorf("one more: %v", err)
	}
	_ = svc.Shutdown(doneContext())
	if err := connect(realtime.ConnectOptions{Token: token(t, user("u1"))}); !errors.Is(err, realtime.ErrShutdown) {
		t.Errorf("after the end: %v", err)
	}
	if n := metric(t, svc, "realtime_refusals_total"); n != 3 {
		t.Errorf("%v refusals are counted", n)
	}
}

// An idle Transport is sent $ping, and that Send returns is the answer.
func TestTransportIsPinged(t *testing.T) {
	inVirtualTime(t, realtime.Options{}, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, _ func(claims, ...string) *raw) {
		var r realtimetest.Recorder
		if _, err := svc.Connect(t.Context(), &r, realtime.ConnectOptions{Identity: &realtime.Identity{UserID: "u1"}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		frames := r.Frames()
		if n := len(frames) - 1; n < 22 || n > 25 || frames[0].Type != "$connected" || svc.ConnectionCount() != 1 {
			t.Fatalf("%d pings in ten minutes, %d connections", n, svc.ConnectionCount())
		}
		for _, f := range frames[1:] {
			if f.Type != "$ping" {
				t.Errorf("it was sent %s", f.Text)
			}
		}
	})
}

// A Transport whose Send does not return is noticed by the next ping; one whose Send
// fails then, too.
func TestDeadTransports(t *testing.T) {
	for name, c := range map[string]struct {
		after       time.Duration // from the connection on, Send returns
		code        realtime.CloseCode
		least, most time.Duration
	}{
		"blocks": {time.Hour, 4012, 22 * time.Second, 36 * time.Second},
		"fails":  {time.Second, 1006, time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, realtime.Options{}, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, _ func(claims, ...string) *raw) {
				ended := make(chan realtime.CloseCode, 1)
				handler := realtime.HandlerOptions{OnClose: func(_ context.Context, _ *realtime.Conn, code realtime.CloseCode, _ string) { ended <- code }}
				start, gone := time.Now(), make(chan struct{})
				time.AfterFunc(c.after, func() { close(gone) })
				opts := realtime.ConnectOptions{Identity: &realtime.Identity{UserID: "u1"}, HandlerOptions: handler}
				if _, err := svc.Connect(t.Context(), &blocking{gone: gone}, opts); err != nil {
					t.Fatal(err)
				}
				if code := <-ended; code != c.code {
					t.Errorf("ended with %d, want %d", code, c.code)
				}
				wantsAfter(t, start, c.least, c.most)
				<-gone
			})
		})
	}
}

// What a Transport's client sends is text or binary, as its owner says.
func TestReceiveBinary(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 2)
	take := func(kind string) func(context.Context, *realtime.Conn, []byte) {
		return func(_ context.Context, _ *realtime.Conn, data []byte) { heard <- kind + string(data) }
	}
	svc := newService(t, realtime.Options{Limits: realtime.Limits{MessageSize: 1000}})
	c, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{
		Identity:       &realtime.Identity{UserID: "u1"},
		HandlerOptions: realtime.HandlerOptions{OnMessage: take("text "), OnBinary: take("binary ")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.ReceiveBinary(t.Context(), []byte("\xff")), c.Receive(t.Context(), []byte("x"))); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"binary \xff", "text x"} {
		if got := eventually(t, heard, want); got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
	if err := c.ReceiveBinary(t.Context(), make([]byte, 1001)); !errors.Is(err, realtime.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}
