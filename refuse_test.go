package realtime_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/realtimetest"
	"boundary-app.org/realtime/wire"
)

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
