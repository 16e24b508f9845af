package realtime_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/realtimetest"
	"boundary-app.org/realtime/wire"
)

// A drain tells every client why, when to come back, and closes it with 1012.
func TestShutdownTellsClients(t *testing.T) {
	everyWay(t, func(t *testing.T, w way) {
		s := startOver(t, w, realtime.Options{}, realtime.HandlerOptions{})
		clients := []*client{s.dial(t, user("u1")), s.dial(t, user("u2"))}
		if _, err := s.Broadcast(t.Context(), realtime.Message{Type: "last"}); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(context.Background()) }()
		for _, c := range clients {
			c.wants("last")
			m := c.read()
			if after, ok := m["reconnectAfter"].(float64); m["type"] != "$closing" || m["reason"] != "drain" || !ok || after < 0 || after >= 1000 {
				t.Errorf("before the close came %v", m)
			}
			c.wantsClose(1012)
		}
		if err := eventually(t, ended, "Shutdown"); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
}

// Clients of the subprotocol get a code of ours, which says to reconnect.
func TestShutdownOfSubprotocolClients(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	c := dialRaw(t, s, upgrading("/?token="+token(t, user("u1")), "Sec-Websocket-Protocol", wire.Subprotocol))
	c.wants("$connected")
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	c.wants("$closing")
	c.wantsClose(4001)
	wg.Wait()
}

// A service that drains takes nobody: 503, 4001, ErrShutdown.
func TestShutdownTakesNobody(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	if !s.Ready() {
		t.Error("a new service is not ready")
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Ready() {
		t.Error("it is ready")
	}
	target := "/?token=" + token(t, user("u1"))
	status, header, text := ask(t, s.Handler(realtime.HandlerOptions{}), upgrading(target))
	if status != 503 || text != "the server is shutting down; reconnect" || header.Get("Retry-After") != "1" {
		t.Errorf("%d %q, Retry-After %q, want 503", status, text, header.Get("Retry-After"))
	}
	if delay := dialRaw(t, s, upgrading(target, "Sec-Websocket-Protocol", wire.Subprotocol)).wantsRetry(4001, "drain"); delay > 2*time.Second {
		t.Errorf("it is to come back after %v", delay)
	}
	_, err := s.Connect(t.Context(), &faulty{}, realtime.ConnectOptions{Identity: &realtime.Identity{UserID: "u1"}})
	if !errors.Is(err, realtime.ErrShutdown) {
		t.Errorf("connect: %v, want ErrShutdown", err)
	}
}

// After it, everything that can fail fails with ErrShutdown; queries find nothing.
func TestAfterShutdown(t *testing.T) {
	t.Parallel()
	s := startOver(t, overTransport, realtime.Options{}, realtime.HandlerOptions{})
	c := s.Connection(s.dial(t, user("u1")).id)
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, err1 := s.Broadcast(ctx, realtime.Message{Type: "x"})
	_, err2 := s.Subscribe(ctx, realtime.Everyone(), "t")
	_, err3 := s.Unsubscribe(ctx, realtime.Everyone(), "t")
	_, err4 := s.UnsubscribeAll(ctx, realtime.Everyone())
	_, err5 := s.Disconnect(ctx, realtime.Everyone(), 0, "")
	for i, err := range []error{err1, err2, err3, err4, err5} {
		if !errors.Is(err, realtime.ErrShutdown) {
			t.Errorf("operation %d: %v, want ErrShutdown", i+1, err)
		}
	}
	if err := c.Send(realtime.Message{Type: "x"}); !errors.Is(err, realtime.ErrClosed) {
		t.Errorf("Conn.Send: %v, want ErrClosed", err)
	}
	if s.ConnectionCount()+len(s.Connections(realtime.Everyone()))+len(s.Connections(realtime.User("u1")))+s.TopicCount() != 0 {
		t.Error("something is found")
	}
}

// It is idempotent: all callers get the result of the first.
func TestShutdownIsIdempotent(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	results := make(chan error, 4)
	for range 4 {
		go func() { results <- svc.Shutdown(context.Background()) }()
	}
	for range 4 {
		if err := eventually(t, results, "Shutdown"); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	}
	if err := svc.Shutdown(doneContext()); err != nil {
		t.Errorf("later: %v", err)
	}
}

// When ctx is done first, clients that do not answer are cut, and it says so.
func TestShutdownDeadline(t *testing.T) {
	inVirtualTime(t, realtime.Options{PingInterval: -1}, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		dial(user("u1")) // reads nothing more
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := svc.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v, want DeadlineExceeded", err)
		}
		wantsAfter(t, start, 3*time.Second, 3*time.Second)
		if again := svc.Shutdown(t.Context()); again != err {
			t.Errorf("later: %v, want the result of the first", again)
		}
	})
}

// The closes are spread over the window, so that not all come back at once;
// a few hundred are told within a second.
func TestShutdownPace(t *testing.T) {
	for _, c := range []struct {
		clients int
		window  time.Duration
		least   time.Duration
		most    time.Duration
	}{
		{5, 30 * time.Second, 0, 0},
		{400, 30 * time.Second, 700 * time.Millisecond, time.Second},
		{2000, 2 * time.Second, time.Second, 2 * time.Second},
	} {
		t.Run(c.window.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				svc := newService(t, realtime.Options{DrainWindow: c.window})
				ends := make(chan time.Time, c.clients)
				opts := realtime.ConnectOptions{
					Identity: &realtime.Identity{UserID: "u"},
					HandlerOptions: realtime.HandlerOptions{
						OnClose: func(context.Context, *realtime.Conn, realtime.CloseCode, string) { ends <- time.Now() },
					},
				}
				for range c.clients {
					if _, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, opts); err != nil {
						t.Fatal(err)
					}
				}
				start := time.Now()
				if err := svc.Shutdown(t.Context()); err != nil {
					t.Fatal(err)
				}
				wantsAfter(t, start, c.least, c.most)
				perSecond := map[time.Duration]int{}
				for range c.clients {
					perSecond[(<-ends).Sub(start).Truncate(100*time.Millisecond)]++
				}
				for at, n := range perSecond {
					if n > max(100, c.clients/8) {
						t.Errorf("%d of %d were closed within 100 ms at %v", n, c.clients, at)
					}
				}
			})
		})
	}
}

// The delays that clients are given differ, for the same reason.
func TestReconnectDelaysAreSpread(t *testing.T) {
	t.Parallel()
	s := startOver(t, overTransport, realtime.Options{}, realtime.HandlerOptions{})
	var clients []*client
	for range 20 {
		clients = append(clients, s.dial(t, user("u1")))
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	delays := map[any]bool{}
	for _, c := range clients {
		delays[c.read()["reconnectAfter"]] = true
	}
	if len(delays) < 10 {
		t.Errorf("20 clients were given %d different delays", len(delays))
	}
}

// Shutdown ends the context of callbacks, and waits for them.
func TestShutdownEndsCallbacks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan string, 2)
		svc := newService(t, realtime.Options{})
		c, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{
			Identity: &realtime.Identity{UserID: "u1"},
			HandlerOptions: realtime.HandlerOptions{
				OnMessage: func(ctx context.Context, _ *realtime.Conn, _ []byte) { <-ctx.Done(); ended <- "OnMessage" },
				OnClose: func(ctx context.Context, _ *realtime.Conn, _ realtime.CloseCode, _ string) {
					<-ctx.Done()
					ended <- "OnClose"
				},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Receive(context.Background(), []byte("x")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := svc.Shutdown(t.Context()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if len(ended) != 2 || <-ended != "OnMessage" {
			t.Error("Shutdown did not wait for OnMessage, then OnClose")
		}
	})
}

// A callback that ignores the end of its context is not waited for for ever.
func TestShutdownWithStubbornCallback(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		svc := newService(t, realtime.Options{})
		c, err := svc.Connect(t.Context(), &realtimetest.Recorder{}, realtime.ConnectOptions{
			Identity:       &realtime.Identity{UserID: "u1"},
			HandlerOptions: realtime.HandlerOptions{OnMessage: func(context.Context, *realtime.Conn, []byte) { <-release }},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Receive(context.Background(), []byte("x")); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := svc.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "callbacks") {
			t.Errorf("shutdown: %v, want DeadlineExceeded and why", err)
		}
		wantsAfter(t, start, 4*time.Second, 4*time.Second)
	})
}

// A listener that runs is waited for, and told to end.
func TestShutdownEndsListeners(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := newService(t, realtime.Options{})
		ended := false
		_, err := svc.OnTopic("t", func(ctx context.Context, _ realtime.Message) error { <-ctx.Done(); ended = true; return nil })
		if err != nil {
			t.Fatal(err)
		}
		publish(t, svc, "t", "x")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_ = svc.Shutdown(ctx)
		if !ended {
			t.Error("Shutdown did not wait for the listener")
		}
	})
}

// A client that reads on gets all that was sent to it before the drain.
func TestShutdownLosesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	c := s.dial(t, user("u1"))
	const messages = 200
	for range messages {
		if _, err := s.Broadcast(t.Context(), realtime.Message{Type: "x", Payload: strings.Repeat("x", 2000)}); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(context.Background()) }()
	for range messages {
		c.wants("x")
	}
	c.wants("$closing")
	c.wantsClose(1012)
	if err := eventually(t, ended, "Shutdown"); err != nil {
		t.Error(err)
	}
}

// While OnOpen runs a client is not told $closing: its first frame is $connected
// or, as here, the close.
func TestShutdownDuringOnOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := newService(t, realtime.Options{PingInterval: -1})
		h := svc.Handler(realtime.HandlerOptions{
			OnOpen: func(context.Context, *realtime.Conn) error {
				slow := time.NewTimer(time.Minute)
				<-slow.C
				return nil
			},
		})
		c := dialPipe(t, h, upgrading("/?token="+token(t, user("u1"))))
		synctest.Wait()
		go func() { _ = svc.Shutdown(context.Background()) }()
		event := c.next()
		var m struct{ Type string }
		_ = json.Unmarshal(event.Data, &m)
		if event.Kind != socket.Close || event.Code != 1012 {
			t.Errorf("the first frame is kind %d, %q", event.Kind, event.Data)
		}
		_ = c.Conn.Close()
	})
}

// During DrainDelay the service is not ready and serves everything, new
// connections too. Then it closes them all.
func TestDrainDelay(t *testing.T) {
	const delay = 5 * time.Second
	inVirtualTime(t, realtime.Options{DrainDelay: delay}, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		start := time.Now()
		before := dial(user("u1"))
		ended := make(chan error, 2)
		for range 2 {
			go func() { ended <- svc.Shutdown(context.Background()) }()
		}
		synctest.Wait()
		if svc.Ready() {
			t.Error("it is ready")
		}
		time.Sleep(delay - time.Second) // virtual: the last second of the delay
		late := dial(user("u2"))
		receipt, err := svc.Broadcast(t.Context(), realtime.Message{Type: "x"})
		if err != nil || receipt.Recipients != 2 {
			t.Errorf("a broadcast reaches %d (%v), want 2", receipt.Recipients, err)
		}
		for _, c := range []*raw{before, late} {
			c.wants("x")
			c.wants("$closing")
			c.wantsClose(1012)
			_ = c.Conn.Close()
		}
		for range 2 {
			if err := <-ended; err != nil {
				t.Errorf("shutdown: %v", err)
			}
		}
		wantsAfter(t, start, delay, delay+time.Second)
	})
}

// A deadline shortens the delay as it does the drain window.
func TestDrainDelayBeforeADeadline(t *testing.T) {
	inVirtualTime(t, realtime.Options{DrainDelay: time.Minute, DrainWindow: 30 * time.Second}, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		c, start := dial(user("u1")), time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- svc.Shutdown(ctx) }()
		c.wants("$closing")
		wantsAfter(t, start, 6*time.Second, 6*time.Second)
		c.wantsClose(1012)
		_ = c.Conn.Close()
		if err := <-ended; err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
}

// When ctx ends during the delay, so does the service.
func TestDrainDelayIsCanceled(t *testing.T) {
	inVirtualTime(t, realtime.Options{DrainDelay: time.Hour}, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		dial(user("u1")) // reads nothing more
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- svc.Shutdown(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("shutdown: %v, want Canceled", err)
		}
		wantsAfter(t, start, 0, time.Second)
	})
}
