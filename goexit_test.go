package realtime_test

import (
	"context"
	"runtime"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
)

// exiting is an application whose callbacks end their goroutines, as t.FailNow
// does, for the user "unlucky".
func exiting(closed chan<- realtime.CloseCode) realtime.HandlerOptions {
	exit := func(c *realtime.Conn) {
		if c.UserID() == "unlucky" {
			runtime.Goexit()
		}
	}
	return realtime.HandlerOptions{
		OnOpen:    func(_ context.Context, c *realtime.Conn) error { exit(c); return nil },
		OnMessage: func(_ context.Context, c *realtime.Conn, _ []byte) { exit(c) },
		OnClose: func(_ context.Context, c *realtime.Conn, code realtime.CloseCode, _ string) {
			closed <- code
			exit(c)
		},
	}
}

// A callback that ends its goroutine is like one that panics: OnOpen's connection
// lives on, OnMessage's ends with 1011, and OnClose is told.
func TestCallbacksThatExit(t *testing.T) {
	t.Parallel()
	for _, w := range []way{overTCP, overTLS} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			closed := make(chan realtime.CloseCode, 2)
			s := startOver(t, w, realtime.Options{}, exiting(closed))
			bad, good := s.dial(t, user("unlucky")), s.dial(t, user("u2"))
			bad.send("hello")
			bad.wantsClose(1011)
			if code := eventually(t, closed, "OnClose"); code != 1011 {
				t.Errorf("OnClose was told %d", code)
			}
			good.wantsNothing()
			if n := metric(t, s.Service, "realtime_callback_panics_total"); n < 2 {
				t.Errorf("%v were counted", n)
			}
		})
	}
}

// exitingVerifier ends the goroutine of the handshake.
type exitingVerifier struct{}

func (exitingVerifier) Verify(context.Context, string) (*realtime.Identity, error) {
	runtime.Goexit()
	return nil, nil
}

// A client whose token's Verifier ends its goroutine is told, and keeps no place.
func TestVerifierThatExits(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{Verifier: exitingVerifier{}}, inMessage)
	for range 600 { // more than there are places for an address
		c := dialRaw(t, s, upgrading("/"))
		c.send(socket.OpText, `{"action":"connect","token":"t"}`)
		if event := c.next(); event.Kind != socket.Close || event.Code != 1011 {
			t.Fatalf("got %+v, want to be closed with 1011", event)
		}
		_ = c.Conn.Close()
	}
}

// exitingTransport ends the goroutine that sends.
type exitingTransport struct{ closed chan uint16 }

func (exitingTransport) Send([]byte) error { runtime.Goexit(); return nil }

func (x exitingTransport) Close(code uint16, _ string) error {
	x.closed <- code
	return nil
}

func TestTransportThatExits(t *testing.T) {
	t.Parallel()
	closed := make(chan realtime.CloseCode, 1)
	svc := newService(t, realtime.Options{})
	x := exitingTransport{make(chan uint16, 1)}
	_, err := svc.Connect(t.Context(), x, realtime.ConnectOptions{
		Identity:       &realtime.Identity{UserID: "u1"},
		HandlerOptions: exiting(closed),
	})
	if err != nil {
		t.Fatal(err)
	}
	if code := eventually(t, closed, "OnClose"); code != 1011 {
		t.Errorf("OnClose was told %d", code)
	}
	eventually(t, x.closed, "Close")
}

// A listener that ends its goroutine hears the next message all the same.
func TestListenerThatExits(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	heard := make(chan string, 2)
	stop, err := svc.OnTopic("t", func(_ context.Context, m realtime.Message) error {
		heard <- m.Type
		runtime.Goexit()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, kind := range []string{"first", "second"} {
		publish(t, svc, "t", kind)
		if got := eventually(t, heard, kind); got != kind {
			t.Errorf("heard %s, want %s", got, kind)
		}
	}
}

func TestConnectWithoutTransport(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	if _, err := svc.Connect(t.Context(), nil, realtime.ConnectOptions{Identity: &realtime.Identity{UserID: "u1"}}); err == nil {
		t.Error("it is connected")
	}
}
