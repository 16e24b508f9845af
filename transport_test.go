package realtime_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/realtimetest"
)

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
