package faultproxy_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/faultproxy"
)

const (
	// patience is how long a test waits for what happens at once.
	patience = time.Minute
	// moment is how long a test looks whether something happens that must not.
	moment = 50 * time.Millisecond
)

// world is a proxy, and the server behind it.
type world struct {
	*faultproxy.Proxy
	t        *testing.T
	accepted chan net.Conn
}

func start(t *testing.T, plan func(int) faultproxy.Plan) *world {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, accepted: make(chan net.Conn, 16)}
	if w.Proxy, err = faultproxy.New(listener.Addr().String(), plan); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			w.accepted <- conn
		}
	}()
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		_ = listener.Close()
		<-ended
	})
	return w
}

// dial returns both ends of a connection through the proxy.
func (w *world) dial(plan faultproxy.Plan) (client, server net.Conn, link *faultproxy.Conn) {
	w.t.Helper()
	client, link, err := w.Dial(w.t.Context(), plan)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.limit(client), w.limit(w.accept()), link
}

func (w *world) accept() net.Conn {
	w.t.Helper()
	select {
	case conn := <-w.accepted:
		return conn
	case <-time.After(patience):
		w.t.Fatal("no connection reaches the server")
		return nil
	}
}

// limit has a connection end with the test, and fail rather than hang.
func (w *world) limit(conn net.Conn) net.Conn {
	_ = conn.SetDeadline(time.Now().Add(patience))
	w.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func write(t *testing.T, conn net.Conn, data string) {
	t.Helper()
	if _, err := io.WriteString(conn, data); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func wants(t *testing.T, conn net.Conn, data string) {
	t.Helper()
	got := make([]byte, len(data))
	if n, err := io.ReadFull(conn, got); err != nil || string(got) != data {
		t.Fatalf("read %q (%v), want %q", got[:n], err, data)
	}
}

// wantsNothing checks that a connection is open and silent.
func wantsNothing(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(moment))
	var b [1]byte
	if n, err := conn.Read(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d octets and %v, want silence", n, err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
}

// wantsEnd reads to the end, and checks how it came.
func wantsEnd(t *testing.T, conn net.Conn, want error) (read []byte) {
	t.Helper()
	read, err := io.ReadAll(conn)
	if !errors.Is(err, want) {
		t.Fatalf("the stream ended with %v, want %v", err, want)
	}
	return read
}

func wantsDone(t *testing.T, link *faultproxy.Conn) {
	t.Helper()
	select {
	case <-link.Done():
	case <-time.After(patience):
		t.Fatal("the connection does not end")
	}
}

func noise(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func TestForwards(t *testing.T) {
	t.Parallel()
	for name, plan := range map[string]faultproxy.Plan{
		"as they come": {},
		"in pieces":    {Up: faultproxy.Faults{Piece: 1}, Down: faultproxy.Faults{Piece: 999}},
		"slowly":       {Up: faultproxy.Faults{Delay: time.Millisecond}, Down: faultproxy.Faults{Delay: time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server, link := start(t, nil).dial(plan)
			up, down := noise(1000), noise(300_000)
			go func() { _, _ = io.WriteString(server, down) }()
			write(t, client, up)
			wants(t, server, up)
			wants(t, client, down)
			_ = client.(*net.TCPConn).CloseWrite()
			wantsEnd(t, server, nil)
			write(t, server, "the other way is open")
			wants(t, client, "the other way is open")
			_ = server.Close()
			wantsEnd(t, client, nil)
			wantsDone(t, link)
			if link.Passed(faultproxy.Up) != 1000 || link.Passed(faultproxy.Down) != 300_021 {
				t.Errorf("%d octets went up and %d down", link.Passed(faultproxy.Up), link.Passed(faultproxy.Down))
			}
			if got := link.Fault(); got != faultproxy.Forward {
				t.Errorf("fault = %v", got)
			}
		})
	}
}

func TestResetGoesOn(t *testing.T) {
	t.Parallel()
	client, server, link := start(t, nil).dial(faultproxy.Plan{})
	_ = client.(*net.TCPConn).SetLinger(0)
	_ = client.Close()
	wantsEnd(t, server, syscall.ECONNRESET)
	wantsDone(t, link)
	if got := link.Fault(); got != faultproxy.Forward {
		t.Errorf("fault = %v, and the proxy has done nothing", got)
	}
}

// What breaks after n octets breaks after exactly n.
func TestBreaksAtTheOctet(t *testing.T) {
	t.Parallel()
	data := noise(100_000)
	for name, test := range map[string]struct {
		then  faultproxy.Action
		ended error
	}{
		"cut":   {faultproxy.Cut, nil},
		"reset": {faultproxy.Reset, syscall.ECONNRESET},
	} {
		for _, after := range []int64{0, 1, 2, 4095, 65_537} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				client, server, link := start(t, nil).dial(faultproxy.Plan{Down: faultproxy.Faults{Then: test.then, After: after}})
				go func() { _, _ = io.WriteString(server, data) }()
				read := wantsEnd(t, client, test.ended)
				// A reset may overtake what is still on its way, a cut may not.
				if int64(len(read)) > after || test.then == faultproxy.Cut && int64(len(read)) < after {
					t.Errorf("%d octets came, want %d", len(read), after)
				}
				if string(read) != data[:len(read)] {
					t.Error("the octets are others")
				}
				wantsDone(t, link)
				if link.Passed(faultproxy.Down) != after || link.Fault() != test.then {
					t.Errorf("passed %d, fault %v", link.Passed(faultproxy.Down), link.Fault())
				}
			})
		}
	}
}

func TestCutAndResetAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for _, test := range []struct {
		action faultproxy.Action
		ended  error
	}{{faultproxy.Cut, nil}, {faultproxy.Reset, syscall.ECONNRESET}} {
		client, server, link := w.dial(faultproxy.Plan{})
		write(t, client, "x")
		wants(t, server, "x")
		link.Do(test.action)
		wantsEnd(t, client, test.ended)
		wantsEnd(t, server, test.ended)
		wantsDone(t, link)
		link.Do(faultproxy.Stall, faultproxy.Up) // it has ended: nothing happens
		if got := link.Fault(); got != test.action {
			t.Errorf("fault = %v, want %v", got, test.action)
		}
	}
}

func TestStall(t *testing.T) {
	t.Parallel()
	client, server, link := start(t, nil).dial(faultproxy.Plan{})
	link.Do(faultproxy.Stall, faultproxy.Up)
	write(t, client, "held")
	wantsNothing(t, server)
	write(t, server, "the other way")
	wants(t, client, "the other way")
	_ = client.(*net.TCPConn).CloseWrite()
	wantsNothing(t, server) // the end is held too
	link.Do(faultproxy.Forward, faultproxy.Up)
	wants(t, server, "held")
	wantsEnd(t, server, nil)
	if got := link.Fault(); got != faultproxy.Stall {
		t.Errorf("fault = %v, want the stall that was", got)
	}
}

// A peer of a half-open connection learns nothing of the other's end; when both
// have ended nothing is left.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	for _, action := range []faultproxy.Action{faultproxy.Stall, faultproxy.Swallow} {
		t.Run(action.String(), func(t *testing.T) {
			t.Parallel()
			w := start(t, nil)
			client, server, link := w.dial(faultproxy.Plan{})
			w.Do(action, faultproxy.Up, faultproxy.Down)
			_ = server.(*net.TCPConn).SetLinger(0)
			_ = server.Close()
			wantsNothing(t, client)
			write(t, client, "nobody hears")
			wantsNothing(t, client)
			if action == faultproxy.Swallow {
				_ = client.Close()
				wantsDone(t, link)
			}
		})
	}
}

func TestSwallow(t *testing.T) {
	t.Parallel()
	client, server, link := start(t, nil).dial(faultproxy.Plan{Up: faultproxy.Faults{Then: faultproxy.Swallow, After: 3}})
	write(t, client, "abcdef")
	wants(t, server, "abc")
	wantsNothing(t, server)
	write(t, client, noise(4<<20)) // more than buffers hold: it is read
	write(t, server, "x")
	wants(t, client, "x")
	link.Do(faultproxy.Forward, faultproxy.Up)
	_ = client.Close()
	if rest := wantsEnd(t, server, nil); len(rest) >= 4<<20 {
		t.Errorf("%d octets came behind the swallow", len(rest))
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	client, server, link := start(t, nil).dial(faultproxy.Plan{})
	link.SetDelay(faultproxy.Up, moment)
	begun := time.Now()
	write(t, client, "x")
	wants(t, server, "x")
	if passed := time.Since(begun); passed < moment {
		t.Errorf("it came after %v, want %v", passed, moment)
	}
	write(t, server, "y")
	wants(t, client, "y")
	if got := link.Fault(); got != faultproxy.Forward {
		t.Errorf("fault = %v; a delay is none", got)
	}
}

// Who connects to the address gets the plan of the number.
func TestPlans(t *testing.T) {
	t.Parallel()
	w := start(t, func(n int) faultproxy.Plan {
		return faultproxy.Plan{Up: faultproxy.Faults{Then: faultproxy.Cut, After: int64(n) + 1}}
	})
	for n := range 3 {
		client, err := net.Dial("tcp", w.Addr())
		if err != nil {
			t.Fatal(err)
		}
		w.limit(client)
		server := w.limit(w.accept())
		write(t, client, "abc")
		if got := wantsEnd(t, server, nil); string(got) != "abc"[:n+1] {
			t.Errorf("connection %d carried %q", n, got)
		}
	}
}

func TestTargetIsAway(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	proxy, err := faultproxy.New(listener.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = proxy.Close() }()
	if _, _, err := proxy.Dial(t.Context(), faultproxy.Plan{}); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial: %v, want the target's refusal", err)
	}
	client, err := net.Dial("tcp", proxy.Addr())
	if errors.Is(err, syscall.ECONNRESET) {
		return // it came before dialing had ended
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	_ = client.SetDeadline(time.Now().Add(patience))
	wantsEnd(t, client, syscall.ECONNRESET)
}

func TestClose(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	client, server, link := w.dial(faultproxy.Plan{})
	stalled, _, _ := w.dial(faultproxy.Plan{Up: faultproxy.Faults{Then: faultproxy.Stall}, Down: faultproxy.Faults{Delay: time.Hour}})
	write(t, stalled, "x")
	if n := len(w.Conns()); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-link.Done():
	default:
		t.Error("Close returned before the connection had ended")
	}
	wantsEnd(t, client, nil)
	wantsEnd(t, server, nil)
	if n := len(w.Conns()); n != 0 {
		t.Errorf("%d connections are left", n)
	}
	if _, _, err := w.Dial(t.Context(), faultproxy.Plan{}); err == nil {
		t.Error("a closed proxy dials")
	}
}

// A seed says what happens: to the octet, and every time.
func TestDraw(t *testing.T) {
	t.Parallel()
	const most = 50_000
	actions, up := map[faultproxy.Action]int{}, 0
	for seed := range uint64(1000) {
		plan := faultproxy.Draw(seed, most)
		if plan != faultproxy.Draw(seed, most) {
			t.Fatalf("seed %d makes two plans", seed)
		}
		broken := plan.Down
		if plan.Up.Then != faultproxy.Forward {
			broken = plan.Up
			up++
		}
		if broken.After < 1 || broken.After > most {
			t.Errorf("seed %d breaks after %d octets", seed, broken.After)
		}
		actions[broken.Then]++
	}
	for _, a := range []faultproxy.Action{faultproxy.Cut, faultproxy.Reset, faultproxy.Stall, faultproxy.Swallow} {
		if actions[a] < 40 {
			t.Errorf("%v was drawn %d times in 1,000", a, actions[a])
		}
	}
	if up < 150 || up > 350 {
		t.Errorf("%d of 1,000 break on the way up", up)
	}
}

func TestActionNames(t *testing.T) {
	t.Parallel()
	var names strings.Builder
	for a := faultproxy.Forward; a <= faultproxy.Reset+1; a++ {
		names.WriteString(a.String() + " ")
	}
	if got := names.String(); got != "forward stall swallow cut reset action 5 " {
		t.Errorf("names = %s", got)
	}
}
