package realtime_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/realtimetest"
	"boundary-app.org/realtime/wire"
)

// OnBinary takes binary messages in place of OnMessage, in the order in which the
// client sent both. Without it OnMessage takes them.
func TestBinaryMessages(t *testing.T) {
	t.Parallel()
	for _, both := range []bool{true, false} {
		for _, w := range []way{overTCP, overTLS} {
			t.Run(fmt.Sprint(w.name, " both ", both), func(t *testing.T) {
				t.Parallel()
				heard := make(chan string, 8)
				note := func(kind string) func(context.Context, *realtime.Conn, []byte) {
					return func(_ context.Context, c *realtime.Conn, data []byte) {
						heard <- kind + " " + c.UserID() + " " + string(data)
					}
				}
				opts, binary := realtime.HandlerOptions{OnMessage: note("text")}, "text"
				if both {
					opts.OnBinary, binary = note("binary"), "binary"
				}
				s := startOver(t, w, realtime.Options{}, opts)
				c := dialOver(t, s, upgrading("/?token="+token(t, user("u1"))))
				c.wants("$connected")
				c.send(socket.OpText, "one")
				c.send(socket.OpBinary, "\xff\x00")
				c.send(socket.OpBinary, `{"action":"ping"}`)
				c.send(socket.OpText, "two")
				for _, want := range []string{"text u1 one", binary + " u1 \xff\x00", binary + ` u1 {"action":"ping"}`, "text u1 two"} {
					if got := eventually(t, heard, want); got != want {
						t.Errorf("heard %q, want %q", got, want)
					}
				}
			})
		}
	}
}

// With OnBinary alone, text is read as without any: commands are answered, and
// other text is ignored. A panic ends the connection.
func TestOnBinaryAlone(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{
		OnBinary: func(context.Context, *realtime.Conn, []byte) { panic("oops") },
	})
	c := dialRaw(t, s, upgrading("/?token="+token(t, user("u1"))))
	c.wants("$connected")
	c.send(socket.OpText, "ignored")
	c.send(socket.OpText, `{"action":"ping"}`)
	c.wants("$reply")
	c.send(socket.OpBinary, "x")
	c.wantsClose(1011)
}

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

// OnClose is the last call of a connection, also when it is closed in the midst
// of many messages that its client has sent already.
func TestOnCloseIsTheLastCall(t *testing.T) {
	t.Parallel()
	for round := range 30 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			var after, calls atomic.Int32
			closed := make(chan struct{})
			s := start(t, realtime.Options{}, realtime.HandlerOptions{
				OnMessage: func(_ context.Context, c *realtime.Conn, _ []byte) {
					if calls.Add(1) == 1 {
						go c.Close(4100, "")
					}
					select {
					case <-closed:
						after.Add(1)
					default:
					}
				},
				OnClose: func(context.Context, *realtime.Conn, realtime.CloseCode, string) { close(closed) },
			})
			c := dialRaw(t, s, upgrading("/?token="+token(t, user("u1"))))
			c.wants("$connected")
			var frames []byte
			for range 1900 {
				frames = socket.AppendMaskedFrame(frames, socket.OpText, []byte("m"), [4]byte{1})
			}
			c.write(frames)
			c.wantsClose(4100)
			eventually(t, closed, "OnClose")
			_ = s.Shutdown(t.Context())
			if n := after.Load(); n != 0 {
				t.Errorf("OnMessage was called %d times after OnClose", n)
			}
		})
	}
}

// closing is how OnClose was told that a connection ended.
type closing struct {
	code   realtime.CloseCode
	reason string
}

// refusing is an application that subscribes a connection, sends to it, and then
// refuses it. It takes no messages of those it has refused.
func refusing(t *testing.T, err error) (opts realtime.HandlerOptions, closed <-chan closing) {
	ends := make(chan closing, 1)
	return realtime.HandlerOptions{
		TokenInMessage: true,
		OnOpen: func(_ context.Context, c *realtime.Conn) error {
			if err := errors.Join(c.Subscribe("t"), c.Send(realtime.Message{Type: "early"})); err != nil {
				t.Error(err)
			}
			return err
		},
		OnMessage: func(context.Context, *realtime.Conn, []byte) { t.Error("a refused client's message was handed over") },
		OnClose: func(_ context.Context, _ *realtime.Conn, code realtime.CloseCode, reason string) {
			ends <- closing{code, reason}
		},
	}, ends
}

// An error of OnOpen that refuses the connection closes it with its code: the
// client hears nothing else, however it came.
func TestOnOpenRefuses(t *testing.T) {
	t.Parallel()
	cause := errors.New("the account is closed")
	for name, c := range map[string]struct {
		err    error
		code   realtime.CloseCode
		reason string
	}{
		"plain":          {realtime.Refuse(4403, "no such room"), 4403, "no such room"},
		"wrapped":        {fmt.Errorf("open: %w", realtime.Refuse(4600, "full")), 4600, "full"},
		"joined":         {errors.Join(cause, realtime.Refuse(1008, "no")), 1008, "no"},
		"no code":        {realtime.Refuse(0, "not you"), 4507, "not you"},
		"no reason":      {realtime.Refuse(4507, ""), 4507, ""},
		"a private code": {realtime.Refuse(1006, "broken"), 1011, "broken"},
		"no close code":  {realtime.Refuse(200, "ok"), 1011, "ok"},
	} {
		for _, w := range []way{overTCP, overTLS} {
			for come, header := range map[string][]string{"plain": nil, "subprotocol": {"Sec-Websocket-Protocol", wire.Subprotocol}} {
				for _, first := range []bool{false, true} {
					t.Run(fmt.Sprint(name, w.name, come, first), func(t *testing.T) {
						t.Parallel()
						log := &journal{}
						opts, closed := refusing(t, c.err)
						s := startOver(t, w, realtime.Options{Log: log.logger()}, opts)
						target := "/"
						if !first {
							target += "?token=" + token(t, user("u1"))
						}
						client := dialOver(t, s, upgrading(target, header...))
						if first {
							client.send(socket.OpText, connecting(token(t, user("u1"))))
						}
						wantsRefusal(t, client, c.code, c.reason)
						_ = client.Conn.Close()
						if end := eventually(t, closed, "OnClose"); end != (closing{c.code, c.reason}) {
							t.Errorf("OnClose was told %+v", end)
						}
						if s.ConnectionCount() != 0 || s.TopicCount() != 0 {
							t.Errorf("%d connections, %d topics are left", s.ConnectionCount(), s.TopicCount())
						}
						if n := metric(t, s.Service, "realtime_refusals_total"); n != 1 {
							t.Errorf("%v refusals are counted", n)
						}
						text := log.String()
						if !strings.Contains(text, "reason=application") || !strings.Contains(text, "user=u1") || strings.Contains(text, "lives on") {
							t.Errorf("the log: %s", text)
						}
						if invalid := strings.Contains(text, "must not be sent"); invalid != (c.code == 1011) {
							t.Errorf("the log: %s", text)
						}
					})
				}
			}
		}
	}
}

// A RefusedError that is nil refuses nothing: it is an error as any other.
func TestNilRefusalIsAnyError(t *testing.T) {
	t.Parallel()
	var none *realtime.RefusedError
	for name, err := range map[string]error{"plain": none, "wrapped": fmt.Errorf("open: %w", none)} {
		log := &journal{}
		svc := newService(t, realtime.Options{Log: log.logger()})
		_, failed := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{
			Identity:       &realtime.Identity{UserID: "u1"},
			HandlerOptions: realtime.HandlerOptions{OnOpen: func(context.Context, *realtime.Conn) error { return err }},
		})
		if n := metric(t, svc, "realtime_refusals_total"); failed != nil || n != 0 || svc.ConnectionCount() != 1 {
			t.Errorf("%s: %v, %v refusals are counted, %d connections are there", name, failed, n, svc.ConnectionCount())
		}
		if text := log.String(); !strings.Contains(text, "lives on") || strings.Contains(text, "PANIC") {
			t.Errorf("%s: the log: %s", name, text)
		}
	}
}

// A refusal of OnOpen is counted as any other, and logged unless the caller of
// Connect gets it.
func TestRefusalOfOnOpenIsLoggedOnce(t *testing.T) {
	t.Parallel()
	log := &journal{}
	opts, closed := refusing(t, realtime.Refuse(4403, "no"))
	svc := newService(t, realtime.Options{Log: log.logger()})
	_, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: &realtime.Identity{UserID: "u1"}, HandlerOptions: opts})
	eventually(t, closed, "OnClose")
	if text := log.String(); err == nil || strings.Contains(text, "reason=application") {
		t.Errorf("connect: %v; the log: %s", err, text)
	}
}

// What a refused client has sent already is not handed over.
func TestRefusedClientIsNotHeard(t *testing.T) {
	t.Parallel()
	opts, closed := refusing(t, realtime.Refuse(4403, "no"))
	s := start(t, realtime.Options{}, opts)
	c := newRaw(t, dialTCP(t, s))
	r := upgrading("/?token=" + token(t, user("u1")))
	var packet strings.Builder
	_ = r.Write(&packet)
	c.write(masked([]byte(packet.String()), socket.OpText, "hello"))
	c.upgraded(r)
	wantsRefusal(t, c, 4403, "no")
	_ = c.Conn.Close()
	eventually(t, closed, "OnClose")
}

// Connect returns what OnOpen has returned, and the transport is closed.
func TestConnectIsRefusedByOnOpen(t *testing.T) {
	t.Parallel()
	cause := errors.New("the account is closed")
	opts, closed := refusing(t, fmt.Errorf("%w: %w", cause, realtime.Refuse(4403, "no")))
	svc := newService(t, realtime.Options{})
	r := &realtimetest.Recorder{}
	c, err := svc.Connect(t.Context(), r, realtime.ConnectOptions{Identity: &realtime.Identity{UserID: "u1"}, HandlerOptions: opts})
	var refused *realtime.RefusedError
	if c != nil || !errors.Is(err, cause) || !errors.As(err, &refused) || *refused != (realtime.RefusedError{Code: 4403, Reason: "no"}) {
		t.Errorf("connect: %v, %v", c, err)
	}
	if code, reason, err := r.WaitClosed(t.Context()); code != 4403 || reason != "no" || err != nil {
		t.Errorf("closed with %d %q, %v", code, reason, err)
	}
	if frames := r.Frames(); len(frames) != 0 {
		t.Errorf("it was sent %q", frames[0].Text)
	}
	eventually(t, closed, "OnClose")
	if n := metric(t, svc, "realtime_refusals_total"); n != 1 || svc.ConnectionCount() != 0 {
		t.Errorf("%v refusals are counted, %d connections are left", n, svc.ConnectionCount())
	}
}
