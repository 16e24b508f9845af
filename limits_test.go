package realtime_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/realtimetest"
)

// D10: a client that stops reading is closed with 4008 once its backlog is full;
// what waited is dropped and counted; others hear everything.
func TestSlowReader(t *testing.T) {
	const backlog, inBurst = 8 << 10, 4 * 8 << 10
	opts := realtime.Options{PingInterval: -1, Limits: realtime.Limits{MessageSize: 1 << 10, Backlog: backlog}}
	inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		slow, good := dial(user("u1")), dial(user("u2"))
		payload := strings.Repeat("x", 1000-100)
		sent := 0
		for svc.ConnectionCount() == 2 {
			if _, err := svc.Broadcast(t.Context(), realtime.Message{Type: "x", Payload: payload}); err != nil {
				t.Fatal(err)
			}
			sent++
			good.wants("x")
			synctest.Wait()
			if waiting := metric(t, svc, "realtime_backlog_bytes"); waiting > inBurst+1<<10 {
				t.Fatalf("%v octets wait for a backlog of %d", waiting, backlog)
			}
		}
		if most := inBurst / 900; sent > most+2 {
			t.Errorf("it took %d messages, want at most %d", sent, most+2)
		}
		got := 0
		event := slow.next()
		for ; event.Kind == socket.Message; event = slow.next() {
			got++
		}
		if event.Kind != socket.Close || event.Code != 4008 {
			t.Errorf("got kind %d, code %d; want a close with 4008", event.Kind, event.Code)
		}
		if drops := metric(t, svc, "realtime_drops_total"); got == sent || int(drops) != sent-got {
			t.Errorf("%d of %d messages came, %v drops are counted", got, sent, drops)
		}
	})
}

// The same over TCP, where the kernel's buffers fill first. The slow client
// never reads, so that it is cut.
func TestSlowReaderOverTCP(t *testing.T) {
	t.Parallel()
	closed := make(chan realtime.CloseCode, 1)
	s := start(t, realtime.Options{Limits: realtime.Limits{Backlog: 128 << 10}}, realtime.HandlerOptions{
		OnClose: func(_ context.Context, c *realtime.Conn, code realtime.CloseCode, _ string) {
			if c.UserID() == "slow" {
				closed <- code
			}
		},
	})
	slow := dialTCP(t, s)
	_ = slow.(*net.TCPConn).SetReadBuffer(4 << 10)
	c := newRaw(t, slow)
	r := upgrading("/?token=" + token(t, user("slow")))
	if err := r.Write(c); err != nil {
		t.Fatal(err)
	}
	c.upgraded(r)
	c.wants("$connected")
	good := s.dial(t, user("good"))
	payload := strings.Repeat("x", 60<<10)
	for code := realtime.CloseCode(0); code == 0; {
		if _, err := s.Broadcast(t.Context(), realtime.Message{Type: "x", Payload: payload}); err != nil {
			t.Fatal(err)
		}
		good.wants("x")
		select {
		case code = <-closed:
			if code != 4008 {
				t.Errorf("it was closed with %d, want 4008", code)
			}
		default:
		}
	}
	good.wantsNothing()
}

// Messages that pile up while OnOpen runs are bounded too.
func TestBacklogWhileOpening(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := realtime.Limits{MessageSize: 1 << 10, Backlog: 4 << 10}
		svc := newService(t, realtime.Options{PingInterval: -1, Limits: limits})
		proceed := make(chan struct{})
		h := svc.Handler(realtime.HandlerOptions{
			OnOpen: func(context.Context, *realtime.Conn) error { <-proceed; return nil },
		})
		c := dialPipe(t, h, upgrading("/?token="+token(t, user("u1"))))
		synctest.Wait()
		for range 10 {
			if _, err := svc.Broadcast(t.Context(), realtime.Message{Type: "x", Payload: strings.Repeat("x", 900)}); err != nil {
				t.Fatal(err)
			}
		}
		c.wantsClose(4008)
		close(proceed)
	})
}

// D10: a message over the limit is refused from its header, with 1009.
func TestOversizeMessage(t *testing.T) {
	t.Parallel()
	heard := make(chan int, 1)
	s := start(t, realtime.Options{Limits: realtime.Limits{MessageSize: 1000}}, realtime.HandlerOptions{
		OnMessage: func(_ context.Context, _ *realtime.Conn, data []byte) { heard <- len(data) },
	})
	target := "/?token=" + token(t, user("u1"))
	c := dialRaw(t, s, upgrading(target))
	c.wants("$connected")
	c.send(socket.OpText, strings.Repeat("x", 1000))
	if n := eventually(t, heard, "a message of the greatest size"); n != 1000 {
		t.Errorf("heard %d octets", n)
	}
	huge := socket.AppendMaskedFrame(nil, socket.OpText, make([]byte, 1001), [4]byte{1})
	c.write(huge[:8]) // the header alone
	c.wantsClose(1009)

	pieces := dialRaw(t, s, upgrading(target))
	pieces.wants("$connected")
	pieces.write([]byte{0x01, 0x80 | 126, 600 >> 8, 600 & 0xff, 0, 0, 0, 0})
	pieces.write(make([]byte, 600))
	pieces.write([]byte{0x80, 0x80 | 126, 600 >> 8, 600 & 0xff, 0, 0, 0, 0})
	pieces.wantsClose(1009)
}

// A client that breaks the protocol is told so.
func TestBrokenFrames(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	target := "/?token=" + token(t, user("u1"))
	for name, broken := range map[string]struct {
		octets []byte
		code   realtime.CloseCode
	}{
		"unmasked":           {[]byte{0x81, 0x01, 'a'}, 1002},
		"reserved bit":       {[]byte{0xc1, 0x80, 0, 0, 0, 0}, 1002},
		"reserved opcode":    {[]byte{0x83, 0x80, 0, 0, 0, 0}, 1002},
		"stray continuation": {[]byte{0x80, 0x80, 0, 0, 0, 0}, 1002},
		"fragmented ping":    {[]byte{0x09, 0x80, 0, 0, 0, 0}, 1002},
		"bad close code":     {[]byte{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xec}, 1002},
		"bad UTF-8":          {[]byte{0x81, 0x81, 0, 0, 0, 0, 0xff}, 1007},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dialRaw(t, s, upgrading(target))
			c.wants("$connected")
			c.write(broken.octets)
			c.wantsClose(broken.code)
		})
	}
}

// A client that floods us is closed with 4013, another is not disturbed.
func TestMessageRate(t *testing.T) {
	opts := realtime.Options{PingInterval: -1, Limits: realtime.Limits{MessageRate: 2, MessageBurst: 5}}
	inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, _ *realtime.Service, dial func(claims, ...string) *raw) {
		flood, good, pings := dial(user("u1")), dial(user("u2")), dial(user("u3"))
		for range 5 {
			flood.send(socket.OpText, `{"action":"ping"}`)
			flood.wants("$reply")
			pings.send(socket.OpPing, "")
			pings.wantsKind(socket.Pong)
		}
		flood.send(socket.OpText, `{"action":"ping"}`)
		flood.wantsClose(4013)
		pings.send(socket.OpPing, "")
		pings.wantsClose(4013)
		for range 30 { // two a second, for ever
			good.send(socket.OpText, `{"action":"ping"}`)
			good.wants("$reply")
			pause := time.NewTimer(time.Second / 2)
			<-pause.C
		}
	})
}

// The application sets the pace at which its client is read, and loses nothing.
func TestSlowOnMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const messages = 500
		svc := newService(t, realtime.Options{PingInterval: -1, Limits: realtime.Limits{MessageSize: 100}})
		proceed, heard := make(chan struct{}), 0
		handler := realtime.HandlerOptions{
			OnMessage: func(context.Context, *realtime.Conn, []byte) { <-proceed; heard++ },
		}
		c := dialPipe(t, svc.Handler(handler), upgrading("/?token="+token(t, user("u1"))))
		c.wants("$connected")
		written := 0
		go func() {
			for range messages {
				c.send(socket.OpText, "m")
				written++
			}
		}()
		synctest.Wait()
		if written == messages {
			t.Error("the client was not held back")
		}
		close(proceed)
		synctest.Wait()
		if heard != messages {
			t.Errorf("%d messages were heard, want %d", heard, messages)
		}
	})
}

// Compression is agreed on where both want it; plain and compressed clients
// hear the same.
func TestCompression(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 1)
	handler := realtime.HandlerOptions{
		Compression: true,
		OnMessage:   func(_ context.Context, _ *realtime.Conn, data []byte) { heard <- string(data) },
	}
	s := start(t, realtime.Options{}, handler)
	target := s.web.URL + "?token=" + token(t, user("u1"))
	plain := s.dial(t, user("u2"))
	conn, response, err := websocket.Dial(t.Context(), target, &websocket.DialOptions{
		CompressionMode: websocket.CompressionNoContextTakeover, CompressionThreshold: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	if got := response.Header.Get("Sec-Websocket-Extensions"); !strings.HasPrefix(got, "permessage-deflate") {
		t.Fatalf("extensions %q", got)
	}
	deflated := &client{t: t, link: &webSocket{conn}}
	deflated.wants("$connected")
	for range 3 {
		payload := strings.Repeat("compressible ", 500)
		if _, err := s.Broadcast(t.Context(), realtime.Message{Type: "x", Payload: payload}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*client{plain, deflated} {
			if m := c.read(); m["payload"] != payload {
				t.Errorf("a client read %.40v", m)
			}
		}
		deflated.send(payload)
		if got := eventually(t, heard, "a compressed message"); got != payload {
			t.Errorf("heard %.40q", got)
		}
	}
	deflated.converse([]exchange{{`{"action":"ping","ref":1}`, `{"type":"$reply","ref":1,"ok":true}`}})
}

// A small compressed frame that inflates beyond the limit is refused.
func TestDeflateBomb(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{Limits: realtime.Limits{MessageSize: 10 << 10}}, realtime.HandlerOptions{Compression: true})
	r := upgrading("/?token="+token(t, user("u1")), "Sec-Websocket-Extensions", "permessage-deflate; client_no_context_takeover; server_no_context_takeover")
	c := dialRaw(t, s, r)
	bomb := socket.AppendDeflatedFrame(nil, socket.OpText, make([]byte, 1<<20))
	header, _, _ := socket.FrameLen(bomb)
	masked := append([]byte{bomb[0], bomb[1] | 0x80}, bomb[2:header]...)
	masked = append(append(masked, 0, 0, 0, 0), bomb[header:]...)
	c.write(masked)
	if event := c.nextCompressed(); event.Op != socket.OpText {
		t.Fatalf("got %+v, want $connected", event)
	}
	if event := c.nextCompressed(); event.Kind != socket.Close || event.Code != 1009 {
		t.Errorf("got kind %d, code %d; want a close with 1009", event.Kind, event.Code)
	}
}

func TestOptionsThatCannotWork(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]realtime.Options{
		"Limits.MessageSize":  {Limits: realtime.Limits{MessageSize: -1}},
		"Limits.Backlog":      {Limits: realtime.Limits{Backlog: -1}},
		"Limits.Topics":       {Limits: realtime.Limits{Topics: -1}},
		"Limits.MessageBurst": {Limits: realtime.Limits{MessageBurst: -1}},
		"PongTimeout":         {PongTimeout: -1},
		"DrainDelay":          {DrainDelay: -1},
		"DrainWindow":         {DrainWindow: -1},
		"TokenLifetime":       {TokenLifetime: -1},
		"must be at least":    {Limits: realtime.Limits{MessageSize: 2 << 20}},
	} {
		svc, err := realtime.New(opts)
		if svc != nil || err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A new rate counts for connections that are open, in both directions.
func TestSetMessageRate(t *testing.T) {
	opts := realtime.Options{PingInterval: -1, Limits: realtime.Limits{MessageRate: 1, MessageBurst: 5}}
	inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		c := dial(user("u1"))
		ping := func() {
			c.send(socket.OpText, `{"action":"ping"}`)
			c.wants("$reply")
		}
		setLimits(t, svc, realtime.Limits{MessageRate: 1000, MessageBurst: 50})
		time.Sleep(time.Second) // virtual
		for range 50 {
			ping()
		}
		setLimits(t, svc, realtime.Limits{MessageRate: 1, MessageBurst: 2})
		time.Sleep(time.Minute) // virtual
		ping()
		ping()
		c.send(socket.OpText, `{"action":"ping"}`)
		c.wantsClose(4013)
	})
}

func setLimits(t *testing.T, svc *realtime.Service, l realtime.Limits) {
	t.Helper()
	if err := svc.SetLimits(l); err != nil {
		t.Fatalf("set limits: %v", err)
	}
}

func TestSetTopicLimit(t *testing.T) {
	opts := realtime.Options{Limits: realtime.Limits{Topics: 1}}
	inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		c := dial(claims{"sub": "u1", "exp": time.Now().Add(time.Hour).Unix(), "topics": []string{"t:*"}})
		subscribe := func(topic, want string) {
			t.Helper()
			c.send(socket.OpText, fmt.Sprintf(`{"action":"subscribe","topic":%q}`, topic))
			if reply := c.next(); !strings.Contains(string(reply.Data), want) {
				t.Errorf("subscribe to %s: %s, want %s", topic, reply.Data, want)
			}
		}
		subscribe("t:1", `"ok":true`)
		subscribe("t:2", `"topic_limit"`)
		setLimits(t, svc, realtime.Limits{Topics: 2})
		subscribe("t:2", `"ok":true`)
		setLimits(t, svc, realtime.Limits{Topics: 1})
		subscribe("t:3", `at most 1 topics`)
		if n := svc.SubscriptionCount(); n != 2 {
			t.Errorf("%d subscriptions, want 2: they stay", n)
		}
	})
}

// A new number of connections counts for new ones; those that are too many stay.
func TestSetConnectionLimits(t *testing.T) {
	for name, limit := range map[string]func(n int) realtime.Limits{
		"in all":   func(n int) realtime.Limits { return realtime.Limits{Connections: n} },
		"per user": func(n int) realtime.Limits { return realtime.Limits{ConnectionsPerUser: n, RejectNewest: true} },
		"per address": func(n int) realtime.Limits {
			return realtime.Limits{ConnectionsPerAddress: n}
		},
	} {
		t.Run(name, func(t *testing.T) {
			opts := realtime.Options{PingInterval: -1, Limits: limit(1)}
			inVirtualTime(t, opts, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
				dial(user("u1"))
				refused := func() {
					t.Helper()
					target := "/?token=" + token(t, user("u1"))
					if status, _, text := ask(t, svc.Handler(realtime.HandlerOptions{}), upgrading(target)); status < 400 {
						t.Errorf("status %d %q, want a refusal", status, text)
					}
				}
				refused()
				setLimits(t, svc, limit(2))
				dial(user("u1"))
				refused()
				setLimits(t, svc, realtime.Limits{})
				dial(user("u1"))
				setLimits(t, svc, limit(1))
				refused()
				if n := svc.ConnectionCount(); n != 3 {
					t.Errorf("%d connections, want 3", n)
				}
				if err := svc.ConsistencyCheck(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestSetLimitsRefuses(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{Limits: realtime.Limits{MessageSize: 1000, Topics: 7}})
	before := svc.Limits()
	for want, l := range map[string]realtime.Limits{
		"MessageSize and Backlog stay":             {},
		"MessageSize and Backlog stay as they":     {MessageSize: 1000, Backlog: 2 << 20},
		"Limits.Topics is negative":                {MessageSize: 1000, Topics: -1},
		"Limits.ConnectionsPerAddress is negative": {MessageSize: 1000, ConnectionsPerAddress: -1},
		"are both set":                             {MessageSize: 1000, EvictOldest: true, RejectNewest: true},
	} {
		if err := svc.SetLimits(l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", l, err, want)
		}
	}
	if after := svc.Limits(); after != before {
		t.Errorf("the limits are %+v, want %+v", after, before)
	}
	setLimits(t, svc, realtime.Limits{MessageSize: 1000})
	if after := svc.Limits(); after.Topics != 128 {
		t.Errorf("%d topics, want the default", after.Topics)
	}
}

// Limits that change while connections come and go leave the counts right.
func TestSetLimitsUnderRace(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	var clients, changes sync.WaitGroup
	done := make(chan struct{})
	changes.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			if err := svc.SetLimits(realtime.Limits{ConnectionsPerUser: i % 3 * 2, RejectNewest: i%2 == 0}); err != nil {
				t.Error(err)
			}
		}
	})
	for i := range 4 {
		clients.Go(func() {
			for n := range 200 {
				id := &realtime.Identity{UserID: fmt.Sprintf("u%d", (i+n)%3)}
				c, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id})
				if err == nil && n%5 != 0 {
					c.Close(1000, "")
				}
			}
		})
	}
	clients.Wait()
	close(done)
	changes.Wait()
	setLimits(t, svc, realtime.Limits{ConnectionsPerUser: 1, EvictOldest: true})
	for i := range 3 {
		id := &realtime.Identity{UserID: fmt.Sprintf("u%d", i)}
		if _, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{Identity: id}); err != nil {
			t.Error(err)
		}
	}
	if n := svc.ConnectionCount(); n != 3 {
		t.Errorf("%d connections, want 3: the older ones made room", n)
	}
	if err := svc.ConsistencyCheck(); err != nil {
		t.Error(err)
	}
}
