package realtime_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// from returns a request without a token that comes from an address.
func from(address string, header ...string) *http.Request {
	r := upgrading("/", header...)
	r.RemoteAddr = address
	return r
}

// There is an end to how many are waited for, and room again when one leaves.
func TestTooManyStrangers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := newService(t, realtime.Options{})
		h := svc.Handler(inMessage)
		var clients []*raw
		for i := range 2048 {
			clients = append(clients, dialPipe(t, h, from(fmt.Sprintf("192.0.2.%d:%d", i/512, i))))
		}
		status, _, text := ask(t, h, from("192.0.2.9:1"))
		if status != 503 || text != "too many clients have yet to send their token; try again" {
			t.Errorf("one more: %d %q", status, text)
		}
		dialPipe(t, h, from("192.0.2.9:1", "Sec-Websocket-Protocol", wire.Subprotocol)).wantsRetry(1013, "unauthenticated_limit")
		clients[0].send(socket.OpText, connecting(token(t, user("u1"))))
		clients[0].wants("$connected")
		_ = clients[1].Conn.Close()
		synctest.Wait()
		for range 2 {
			c := dialPipe(t, h, from("192.0.2.9:1"))
			c.send(socket.OpText, connecting(token(t, user("u2"))))
			c.wants("$connected")
		}
		for _, c := range clients {
			_ = c.Conn.Close()
		}
	})
}

// One address gets a quarter of the places, whether connections are counted by
// address or not; whoever stands behind a listed proxy is counted alone.
func TestTooManyStrangersOfAnAddress(t *testing.T) {
	for name, limits := range map[string]realtime.Limits{"no cap": {}, "a cap": {ConnectionsPerAddress: 1000}} {
		for many, addresses := range map[string]struct{ crowd, more, other string }{
			"IPv4":        {"192.0.2.1:%d", "192.0.2.1:7", "192.0.2.2:7"},
			"mapped":      {"[::ffff:192.0.2.1]:%d", "192.0.2.1:7", "192.0.2.2:7"},
			"IPv6":        {"[2001:db8::%x]:1", "[2001:db8::ffff:1]:1", "[2001:db8:0:1::1]:1"},
			"no address":  {"@%d", "@", "192.0.2.1:1"},
			"Unix socket": {"", "", "[::1]:1"},
		} {
			t.Run(name+", "+many, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					svc := newService(t, realtime.Options{Limits: limits})
					h := svc.Handler(inMessage)
					var clients []*raw
					for i := range 512 {
						address := addresses.crowd
						if strings.Contains(address, "%") {
							address = fmt.Sprintf(address, i)
						}
						clients = append(clients, dialPipe(t, h, from(address)))
					}
					status, _, text := ask(t, h, from(addresses.more))
					if status != 503 || text != "too many clients from this address have yet to send their token; try again" {
						t.Errorf("one more: %d %q", status, text)
					}
					dialPipe(t, h, from(addresses.more, "Sec-Websocket-Protocol", wire.Subprotocol)).wantsRetry(1013, "unauthenticated_limit")
					_ = clients[0].Conn.Close()
					synctest.Wait()
					for _, address := range []string{addresses.other, addresses.more} {
						c := dialPipe(t, h, from(address))
						c.send(socket.OpText, connecting(token(t, user("u1"))))
						c.wants("$connected")
					}
					for _, c := range clients {
						_ = c.Conn.Close()
					}
				})
			})
		}
	}
}

// A place is free again soon after its client was refused, also where it neither
// reads nor leaves.
func TestRefusedStrangerLeavesItsPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := newService(t, realtime.Options{PingInterval: -1, Limits: realtime.Limits{ConnectionsPerAddress: 1}})
		h := svc.Handler(inMessage)
		dialPipe(t, h, upgrading("/"))
		for after, want := range map[time.Duration]int{5900 * time.Millisecond: 429, 6100 * time.Millisecond: 500} {
			go func() {
				wait := time.NewTimer(after)
				<-wait.C
				if status, _, text := ask(t, h, upgrading("/")); status != want {
					t.Errorf("after %v: %d %q, want %d", after, status, text, want)
				}
			}()
		}
		end := time.NewTimer(7 * time.Second)
		<-end.C
	})
}

// A Verifier that hangs holds no place for ever.
func TestFirstMessageVerifierHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reached := make(chan struct{}, 1)
		svc := newService(t, realtime.Options{Verifier: hanging(reached)})
		c := dialPipe(t, svc.Handler(inMessage), upgrading("/"))
		c.send(socket.OpText, connecting("x"))
		<-reached
		start := time.Now()
		wantsRefusal(t, c, 1013, "the token cannot be verified just now; try again")
		wantsAfter(t, start, 10*time.Second, 10*time.Second)
	})
}

// hanging is a Verifier that returns when its context ends.
func hanging(reached chan<- struct{}) realtime.Verifier {
	return auth.VerifierFunc(func(ctx context.Context, _ string) (*realtime.Identity, error) {
		reached <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
}

// The values of the request are looked at only before ServeHTTP returns: routers
// use them again for the next request.
func TestRequestsValuesAreNotKept(t *testing.T) {
	for name, query := range map[string]string{"first message": "/", "query": "/?token="} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				good := token(t, user("u1"))
				var value, seen atomic.Value
				var returned, late atomic.Bool
				look := func(ctx context.Context) {
					seen.Store(ctx.Value(&value))
					late.Store(returned.Load())
				}
				verifier, err := auth.New(auth.Options{HMACSecret: secret})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = verifier.Close() })
				svc := newService(t, realtime.Options{Verifier: auth.VerifierFunc(func(ctx context.Context, token string) (*realtime.Identity, error) {
					look(ctx)
					return verifier.Verify(ctx, token)
				})})
				h := svc.Handler(realtime.HandlerOptions{TokenInMessage: true, OnOpen: func(ctx context.Context, _ *realtime.Conn) error {
					look(ctx)
					return nil
				}})
				router := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer returned.Store(true)
					h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), &value, "mine")))
				})
				if query != "/" {
					query += good
				}
				c := dialPipe(t, router, upgrading(query))
				if query == "/" {
					synctest.Wait()
					c.send(socket.OpText, connecting(good))
				}
				c.wants("$connected")
				synctest.Wait()
				if seen.Load() != "mine" || late.Load() || !returned.Load() {
					t.Errorf("OnOpen saw %v, after ServeHTTP had returned: %v; it has returned: %v", seen.Load(), late.Load(), returned.Load())
				}
			})
		})
	}
}

// A client that holds back the end of its first message costs less than 48 KiB.
// It does not run beside other tests, whose memory it would count.
func TestMemoryOfAStranger(t *testing.T) {
	s := start(t, realtime.Options{}, inMessage)
	const clients, most = 300, 48 << 10
	piece := masked(nil, socket.OpText, strings.Repeat("x", 12_000))
	before := memory()
	held := make([]net.Conn, 0, clients)
	for range clients {
		c := dialRaw(t, s, upgrading("/"))
		c.write(masked(nil, socket.OpPing, ""))
		c.wantsKind(socket.Pong)
		c.write(piece[:len(piece)-1])
		c.input.Reset(nil)
		c.rest = nil
		held = append(held, c.Conn)
	}
	if each := (memory() - before) / clients; each > most {
		t.Errorf("a client costs %d octets, want at most %d", each, most)
	}
	for _, conn := range held {
		_ = conn.Close()
	}
}

// memory returns what heap and stacks take.
func memory() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse + m.StackInuse)
}
