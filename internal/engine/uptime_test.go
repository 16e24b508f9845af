package engine

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime/internal/socket"
)

// day is long, as uptimes go.
const day = 24 * time.Hour

// agedEngine is an engine that was started some time ago, in virtual time.
func agedEngine(t *testing.T, age time.Duration, wall func() time.Time, change func(*Config)) *Engine {
	t.Helper()
	cfg := newConfig(change)
	cfg.PingInterval, cfg.PongTimeout, cfg.ExpiryGrace = 25*time.Second, 10*time.Second, 25*time.Second
	e := newAt(cfg, time.Now().Add(-age), wall)
	t.Cleanup(e.Stop)
	return e
}

// pass lets virtual time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// expiring registers a Transport whose token expires at a time.
func expiring(t *testing.T, e *Engine, at time.Time) *peer {
	t.Helper()
	p := newPeer()
	if err := e.Register(&p.Conn, Spec{User: "u", Handler: p, Transport: p, Expires: at}); err != nil {
		t.Fatal(err)
	}
	p.Open([]byte("open"))
	return p
}

// Whatever the uptime, timers come when they are due: pings, their timeout, the
// end of a token, the refill of the rate. Ticks begin again at 0 on day 994.
func TestUptime(t *testing.T) {
	t.Parallel()
	const wraps = 1 << 32 * tickLength
	for _, age := range []time.Duration{
		0, wraps/2 - time.Minute, wraps - time.Minute, 993*day + 21*time.Hour, wraps, wraps + time.Minute, 2*wraps - 30*time.Second, 50 * 365 * day,
	} {
		t.Run(fmt.Sprint(age), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := agedEngine(t, age, time.Now, func(c *Config) { c.Rate, c.Burst = 1, 2 })
				began := time.Now()
				quiet, lively := newTimed(t, e, false), newTimed(t, e, true)
				token := expiring(t, e, began.Add(90*time.Second))
				pass(2 * time.Minute)
				if end := <-token.ended; end.code != 4005 {
					t.Errorf("the expired connection was closed with %d", end.code)
				}
				if len(quiet.pings) != 1 || quiet.closed.Sub(quiet.pings[0]) < 10*time.Second || quiet.closed.Sub(quiet.pings[0]) > 10*time.Second+5*tickLength {
					t.Errorf("the quiet client was pinged at %v and closed at %v", quiet.pings, quiet.closed)
				}
				if n := len(lively.pings); n < 4 || n > 5 || !lively.closed.IsZero() {
					t.Errorf("in two minutes the lively client was pinged %d times, and closed at %v", n, lively.closed)
				}
				if got := lively.CreatedAt(); got.Sub(began).Abs() > tickLength || got.Round(0).Sub(began.Round(0)).Abs() > tickLength {
					t.Errorf("it was created at %v, want %v", got, began)
				}
				consistent(t, e)
				lively.Conn.Close(1000, "")
				pass(time.Minute)
			})
		})
	}
}

// timed is a client that notes when it is pinged and closed; it answers pings, and
// sends a message behind each, or is quiet.
type timed struct {
	Conn
	pings  []time.Time
	closed time.Time
}

func (*timed) Receive(bool, []byte)           {}
func (c *timed) Closed(code uint16, _ string) {}

func newTimed(t *testing.T, e *Engine, answers bool) *timed {
	t.Helper()
	server, client := net.Pipe()
	c := &timed{}
	if err := e.Register(&c.Conn, Spec{User: "u", Handler: c, Conn: server}); err != nil {
		t.Fatal(err)
	}
	c.Open(nil)
	go func() {
		buf := make([]byte, 200)
		for {
			n, err := client.Read(buf)
			if err != nil {
				return
			}
			switch {
			case buf[0]&0xf == byte(socket.OpClose):
				c.closed = time.Now()
				_ = client.Close()
				return
			case slices.Equal(buf[:n], []byte{0x89, 0}):
				c.pings = append(c.pings, time.Now())
				if answers {
					_, _ = client.Write(append(fromClient(socket.OpPong, ""), fromClient(socket.OpText, "x")...))
				}
			}
		}
	}()
	return c
}

// A step of the wall clock, in either direction, ends no connection and lets none
// live on: what was left of its token when it came is waited for.
func TestWallClockSteps(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{time.Hour, -time.Hour, 1000 * day, -1000 * day} {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var stepped time.Duration // changed while all others wait
				wall := func() time.Time { return time.Now().Round(0).Add(stepped) }
				e := agedEngine(t, 0, wall, nil)
				var crowd []*peer
				for range 200 {
					crowd = append(crowd, expiring(t, e, wall().Add(2*time.Hour)))
				}
				never := expiring(t, e, time.Time{})
				pass(70 * time.Minute) // beyond the first look
				stepped = step
				pass(50*time.Minute + 24*time.Second)
				if n := e.Count(); n != len(crowd)+1 {
					t.Fatalf("%d of %d connections are left after the step", n, len(crowd)+1)
				}
				refreshed := crowd[0]
				refreshed.SetExpiry(wall().Add(time.Hour))
				pass(2 * time.Second)
				if n := e.Count(); n != 2 {
					t.Fatalf("%d connections are left once their tokens have expired", n)
				}
				for _, p := range crowd[1:] {
					if end := <-p.ended; end.code != 4005 {
						t.Fatalf("closed with %d", end.code)
					}
				}
				pass(time.Hour + 20*time.Second)
				if refreshed.Ended() {
					t.Error("the refreshed connection was closed within its grace")
				}
				pass(5 * time.Second)
				if !refreshed.Ended() || never.Ended() {
					t.Error("the refreshed connection lives on, or the one without a token does not")
				}
			})
		})
	}
}

// A token that was accepted although it had expired gets its grace from there on.
func TestExpiredWhenAccepted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := agedEngine(t, time.Hour, time.Now, nil)
		p := expiring(t, e, time.Now().Add(-20*time.Second))
		pass(24 * time.Second)
		if p.Ended() {
			t.Error("it was closed within its grace")
		}
		pass(2 * time.Second)
		if !p.Ended() {
			t.Error("it lives on")
		}
	})
}
