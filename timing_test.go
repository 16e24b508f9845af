package realtime_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/realtimetest"
	"boundary-app.org/realtime/wire"
)

// tick is how exact the service's clock is.
const tick = 20 * time.Millisecond

// inVirtualTime runs a test in which time passes as soon as everybody waits.
func inVirtualTime(t *testing.T, opts realtime.Options, handler realtime.HandlerOptions, run func(t *testing.T, svc *realtime.Service, dial func(c claims, header ...string) *raw)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := newService(t, opts)
		h := svc.Handler(handler)
		run(t, svc, func(c claims, header ...string) *raw {
			client := dialPipe(t, h, upgrading("/?token="+token(t, c), header...))
			client.wants("$connected")
			return client
		})
	})
}

// wantsAfter checks that so much time has passed since a start.
func wantsAfter(t *testing.T, start time.Time, least, most time.Duration) {
	t.Helper()
	if passed := time.Since(start); passed < least || passed > most+2*tick {
		t.Errorf("after %v, want between %v and %v", passed, least, most)
	}
}

// D5: a connection ends with 4005 when its token has expired, after the grace.
func TestExpiry(t *testing.T) {
	for name, c := range map[string]struct {
		expires, grace, closes time.Duration
	}{
		"default grace":                 {time.Minute, 0, 85 * time.Second},
		"own grace":                     {time.Minute, 5 * time.Second, 65 * time.Second},
		"no grace":                      {time.Minute, -1, time.Minute},
		"far away":                      {48 * time.Hour, -1, 48 * time.Hour},
		"accepted late, within leeway":  {-10 * time.Second, 0, 25 * time.Second},
		"accepted late and without any": {-10 * time.Second, -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			opts := realtime.Options{PingInterval: -1, ExpiryGrace: c.grace}
			inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
				start := time.Now()
				client := dial(claims{"sub": "u1", "exp": start.Add(c.expires).Unix()})
				client.wantsClose(4005)
				wantsAfter(t, start, c.closes, c.closes)
				if svc.ConnectionCount() != 0 {
					t.Error("it is still registered")
				}
			})
		})
	}
}

// D5 for an application's own transport.
func TestExpiryOfTransport(t *testing.T) {
	inVirtualTime(t, realtime.Options{}, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, _ func(claims, ...string) *raw) {
		start := time.Now()
		var r realtimetest.Recorder
		id := &realtime.Identity{UserID: "u1", ExpiresAt: start.Add(time.Minute)}
		if _, err := svc.Connect(t.Context(), &r, realtime.ConnectOptions{Identity: id}); err != nil {
			t.Fatal(err)
		}
		if code, _, err := r.WaitClosed(t.Context()); code != 4005 || err != nil {
			t.Errorf("closed with %d (%v), want 4005", code, err)
		}
		wantsAfter(t, start, 85*time.Second, 85*time.Second)
	})
}

// An identity without an expiry, which only an own Verifier can return, stays.
func TestNoExpiry(t *testing.T) {
	opts := realtime.Options{PingInterval: -1, Verifier: decided(&realtime.Identity{UserID: "u1"}, nil)}
	inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		client := dial(user("u1"))
		days := time.NewTimer(48 * time.Hour)
		<-days.C
		if _, err := svc.Broadcast(t.Context(), realtime.Message{Type: "x"}); err != nil {
			t.Fatal(err)
		}
		client.wants("x")
	})
}

// D10: who does not answer a ping is gone, and closed with 4012.
func TestNoPong(t *testing.T) {
	inVirtualTime(t, realtime.Options{}, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		start := time.Now()
		client := dial(user("u1"))
		client.wantsKind(socket.Ping)
		wantsAfter(t, start, 25*time.Second/2, 25*time.Second) // the first one is spread
		pinged := time.Now()
		client.wantsClose(4012)
		wantsAfter(t, pinged, 10*time.Second, 10*time.Second)
		if svc.ConnectionCount() != 0 {
			t.Error("it is still registered")
		}
	})
}

// Who answers stays, and is asked again.
func TestPong(t *testing.T) {
	for _, times := range []struct{ interval, timeout time.Duration }{{8 * time.Second, 2 * time.Second}, {2 * time.Second, 8 * time.Second}} {
		t.Run(times.interval.String(), func(t *testing.T) {
			opts := realtime.Options{PingInterval: times.interval, PongTimeout: times.timeout}
			inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, _ *realtime.Service, dial func(claims, ...string) *raw) {
				client := dial(user("u1"))
				client.wantsKind(socket.Ping)
				for range 5 {
					client.send(socket.OpPong, "")
					answered := time.Now()
					client.wantsKind(socket.Ping)
					wantsAfter(t, answered, times.interval, times.interval)
				}
				client.wantsClose(4012)
			})
		})
	}
}

// Any whole frame proves that a client lives; a piece of one does not.
func TestSignsOfLife(t *testing.T) {
	opts := realtime.Options{PingInterval: 8 * time.Second, PongTimeout: 2 * time.Second}
	inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, _ *realtime.Service, dial func(claims, ...string) *raw) {
		client := dial(user("u1"))
		client.wantsKind(socket.Ping)
		client.send(socket.OpText, `{"action":"ping"}`)
		client.wants("$reply")
		client.wantsKind(socket.Ping)
		frame := socket.AppendMaskedFrame(nil, socket.OpText, make([]byte, 1000), [4]byte{1})
		for _, octet := range frame[:5] {
			client.write([]byte{octet})
		}
		client.wantsClose(4012)
	})
}

// Clients of the subprotocol are pinged with a text too, which scripts can see.
func TestTextPings(t *testing.T) {
	inVirtualTime(t, realtime.Options{}, realtime.HandlerOptions{}, func(t *testing.T, _ *realtime.Service, dial func(claims, ...string) *raw) {
		plain := dial(user("u1"))
		plain.wantsKind(socket.Ping)
		plain.wantsClose(4012)
		scripted := dial(user("u2"), "Sec-Websocket-Protocol", wire.Subprotocol)
		scripted.wantsKind(socket.Ping)
		scripted.wants("$ping")
		scripted.wantsClose(4012)
	})
}

func TestPingsTurnedOff(t *testing.T) {
	opts := realtime.Options{PingInterval: -1}
	inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		client := dial(claims{"sub": "u1", "exp": time.Now().Add(72 * time.Hour).Unix()})
		day := time.NewTimer(24 * time.Hour)
		<-day.C
		if _, err := svc.Broadcast(t.Context(), realtime.Message{Type: "x"}); err != nil {
			t.Fatal(err)
		}
		client.wants("x") // and no ping before it
	})
}

// A client that never answers our close frame is cut after 5 s.
func TestUnansweredClose(t *testing.T) {
	inVirtualTime(t, realtime.Options{}, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		client := dial(user("u1"))
		start := time.Now()
		if _, err := svc.Disconnect(t.Context(), realtime.Everyone(), 0, ""); err != nil {
			t.Fatal(err)
		}
		client.wantsKind(socket.Close)
		if _, err := client.input.ReadByte(); err == nil {
			t.Error("octets follow the close frame")
		}
		wantsAfter(t, start, 5*time.Second, 5*time.Second)
	})
}

// What a client sends behind a close frame of its own is ignored, and the close
// is answered with the same code.
func TestCloseIsAnswered(t *testing.T) {
	heard := make(chan string, 10)
	handler := realtime.HandlerOptions{
		OnMessage: func(_ context.Context, _ *realtime.Conn, data []byte) { heard <- string(data) },
	}
	inVirtualTime(t, realtime.Options{}, handler, func(t *testing.T, _ *realtime.Service, dial func(claims, ...string) *raw) {
		client := dial(user("u1"))
		frames := socket.AppendMaskedFrame(nil, socket.OpClose, []byte{3000 >> 8, 3000 & 0xff}, [4]byte{1})
		client.write(socket.AppendMaskedFrame(frames, socket.OpText, []byte("late"), [4]byte{1}))
		client.wantsClose(3000)
	})
	if len(heard) != 0 {
		t.Errorf("the application heard %q", <-heard)
	}
}

// OnOpen may take its time: nothing is sent to the client, and what the client
// sends waits.
func TestSlowOnOpen(t *testing.T) {
	handler := realtime.HandlerOptions{
		OnOpen: func(context.Context, *realtime.Conn) error {
			slow := time.NewTimer(20 * time.Second)
			<-slow.C
			return nil
		},
		OnMessage: func(_ context.Context, c *realtime.Conn, data []byte) {
			_ = c.Send(realtime.Message{Type: string(data)})
		},
	}
	opts := realtime.Options{PingInterval: -1, Verifier: auth.VerifierFunc(func(context.Context, string) (*realtime.Identity, error) {
		return &realtime.Identity{UserID: "u1"}, nil
	})}
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := newService(t, opts)
		start := time.Now()
		client := dialPipe(t, svc.Handler(handler), upgrading("/?token=x"))
		client.send(socket.OpText, "early")
		synctest.Wait() // until OnOpen runs: before it, the broadcast may not find the connection
		if _, err := svc.Broadcast(t.Context(), realtime.Message{Type: "meanwhile"}); err != nil {
			t.Fatal(err)
		}
		client.wants("$connected")
		wantsAfter(t, start, 20*time.Second, 20*time.Second)
		client.wants("meanwhile", "early")
	})
}

// A command that cannot be seen as one gets a reply, is counted by its code, and
// costs neither the connection nor what follows it.
func TestSignsInsteadOfSilence(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	c := s.dial(t, user("u1"))
	const ping = `{"action":"ping","ref":1}`
	socket := c.link.(*webSocket)
	for _, x := range []struct {
		name, code string
		kind       websocket.MessageType
		text       string
	}{
		{"in a binary frame", "malformed", websocket.MessageBinary, ping},
		{"behind a byte order mark", "malformed", websocket.MessageText, "\ufeff" + ping},
		{"without an action", "missing_action", websocket.MessageText, `{"type":"ping"}`},
		{"with an unknown one", "unknown_action", websocket.MessageText, `{"action":"dance"}`},
		{"over 16 KiB", "malformed", websocket.MessageText, ping + strings.Repeat(" ", 16<<10)},
		{"of 64 KiB", "malformed", websocket.MessageText, strings.Repeat("0,", 32<<10)},
	} {
		if err := socket.conn.Write(t.Context(), x.kind, []byte(x.text)); err != nil {
			t.Fatal(err)
		}
		failed, _ := c.read()["error"].(map[string]any)
		if failed["code"] != x.code {
			t.Errorf("%s: %v, want %s", x.name, failed, x.code)
		}
	}
	if n := metric(t, s.Service, "realtime_command_errors_total"); n != 6 {
		t.Errorf("%v errors were counted", n)
	}
	c.converse([]exchange{{ping, `{"type":"$reply","ref":1,"ok":true}`}})
}
