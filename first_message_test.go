package realtime_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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

// inMessage lets clients bring their token as the first message.
var inMessage = realtime.HandlerOptions{TokenInMessage: true}

const askForToken = `send {"action":"connect","token":"..."} as the first message, within 5 s`

// connecting is the first message of a client.
func connecting(token string) string { return `{"action":"connect","token":"` + token + `"}` }

func masked(dst []byte, op socket.Opcode, payload string) []byte {
	return socket.AppendMaskedFrame(dst, op, []byte(payload), [4]byte{1, 2, 3, 4})
}

// dialOnly connects to a server over TCP or TLS.
func dialOnly(t *testing.T, s *server) *raw {
	t.Helper()
	conn := dialTCP(t, s)
	if s.web.TLS != nil {
		config := s.web.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		config.ServerName = "example.com"
		conn = tls.Client(conn, config)
	}
	return newRaw(t, conn)
}

// dialOver connects to a server over TCP or TLS and reads the 101.
func dialOver(t *testing.T, s *server, r *http.Request) *raw {
	t.Helper()
	c := dialOnly(t, s)
	if err := r.Write(c); err != nil {
		t.Fatal(err)
	}
	c.upgraded(r)
	return c
}

// A client without a token connects, brings it, and then all is as if it had
// come in the URL; what it sends behind the token is not lost.
func TestTokenInMessage(t *testing.T) {
	t.Parallel()
	for _, w := range []way{overTCP, overTLS} {
		for name, header := range map[string][]string{"plain": nil, "subprotocol": {"Sec-Websocket-Protocol", wire.Subprotocol}} {
			t.Run(w.name+" "+name, func(t *testing.T) {
				t.Parallel()
				heard := make(chan string, 2)
				s := startOver(t, w, realtime.Options{}, realtime.HandlerOptions{
					TokenInMessage: true,
					OnOpen: func(_ context.Context, c *realtime.Conn) error {
						return errors.Join(c.Subscribe("opened"), c.Send(realtime.Message{Type: "welcome"}))
					},
					OnMessage: func(_ context.Context, _ *realtime.Conn, data []byte) { heard <- string(data) },
				})
				c := dialOver(t, s, upgrading("/", header...))
				if n := s.ConnectionCount(); n != 0 {
					t.Errorf("%d connections before the token", n)
				}
				packet := masked(nil, socket.OpText, connecting(token(t, user("u1", "admin"))))
				packet = masked(packet, socket.OpText, "first")
				packet = masked(packet, socket.OpText, "second")
				half := len(packet) - 3
				c.write(packet[:half])
				c.wants("$connected", "welcome")
				c.write(packet[half:])
				for _, want := range []string{"first", "second"} {
					if got := eventually(t, heard, want); got != want {
						t.Errorf("heard %q, want %q", got, want)
					}
				}
				for _, to := range []realtime.Address{realtime.User("u1"), realtime.Role("admin"), realtime.Topic("opened")} {
					if receipt, err := s.Send(t.Context(), to, realtime.Message{Type: "x"}); receipt.Recipients != 1 || err != nil {
						t.Errorf("%s: %+v, %v", to, receipt, err)
					}
					c.wants("x")
				}
			})
		}
	}
}

// The connection has none of the deadlines that it had before the token.
func TestTokenInMessageLeavesNoDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		svc := newService(t, realtime.Options{PingInterval: -1})
		c := dialPipe(t, svc.Handler(inMessage), upgrading("/"))
		c.send(socket.OpText, connecting(token(t, user("u1"))))
		c.wants("$connected")
		long := time.NewTimer(time.Minute)
		<-long.C
		c.send(socket.OpText, `{"action":"ping"}`)
		c.wants("$reply")
	})
}

// The token may come with the handshake, in pieces, or between pings.
func TestFormsOfTheFirstMessage(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, inMessage)
	text := connecting(token(t, user("u1")))
	fragments := masked(nil, socket.OpText, text[:30])
	fragments[0] &^= 0x80
	fragments = masked(fragments, socket.OpPing, "one")
	fragments = masked(fragments, socket.OpPong, "")
	last := masked(nil, socket.OpText, text[30:])
	last[0] = 0x80
	fragments = append(fragments, last...)

	t.Run("with the handshake", func(t *testing.T) {
		t.Parallel()
		c := newRaw(t, dialTCP(t, s))
		r := upgrading("/")
		var packet strings.Builder
		_ = r.Write(&packet)
		c.write(masked([]byte(packet.String()), socket.OpText, text))
		c.upgraded(r)
		c.wants("$connected")
	})
	t.Run("in fragments and octets", func(t *testing.T) {
		t.Parallel()
		c := dialRaw(t, s, upgrading("/"))
		c.write(masked(nil, socket.OpPing, "zero"))
		if pong := c.next(); pong.Kind != socket.Pong || string(pong.Data) != "zero" {
			t.Errorf("kind %d %q, want a pong", pong.Kind, pong.Data)
		}
		for i := range fragments {
			c.write(fragments[i : i+1])
		}
		if pong := c.next(); pong.Kind != socket.Pong || string(pong.Data) != "one" {
			t.Errorf("kind %d %q, want a pong", pong.Kind, pong.Data)
		}
		c.wants("$connected")
	})
}

// Refused tokens lead to the codes that clients of the subprotocol know.
func TestRefusedFirstMessages(t *testing.T) {
	t.Parallel()
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, realtime.Options{Verifier: c.verifier}, realtime.HandlerOptions{TokenInMessage: true, Require: c.require})
			client := dialRaw(t, s, upgrading("/"))
			client.send(socket.OpText, connecting("x"))
			wantsRefusal(t, client, c.code, c.text)
			_ = client.Conn.Close()
			if err := s.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			if n := metric(t, s.Service, "realtime_refusals_total"); n != 1 {
				t.Errorf("%v refusals are counted", n)
			}
		})
	}
}

// wantsRefusal reads a close frame: behind $closing, where the code asks the client
// to try again.
func wantsRefusal(t *testing.T, c *raw, code realtime.CloseCode, text string) {
	t.Helper()
	if code == wire.CloseTryAgain {
		c.wants("$closing")
	}
	if event := c.next(); event.Kind != socket.Close || event.Code != uint16(code) || string(event.Data) != text {
		t.Errorf("kind %d, %d %q; want a close with %d %q", event.Kind, event.Code, event.Data, code, text)
	}
}

// What is no first message ends the connection, and says what to send.
func TestWhatIsNoFirstMessage(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, inMessage)
	good := connecting(token(t, user("u1")))
	unmasked := socket.AppendFrame(nil, socket.OpText, []byte(good))
	for name, c := range map[string]struct {
		frames []byte
		code   realtime.CloseCode
		text   string
	}{
		"binary":           {masked(nil, socket.OpBinary, good), 4501, "the first message came in a binary frame; send it as a text frame"},
		"byte order mark":  {masked(nil, socket.OpText, "\ufeff"+good), 4501, "the first message begins with a byte order mark; send JSON without it"},
		"two of them":      {masked(nil, socket.OpText, "\ufeff\ufeff"+good), 4501, "the first message begins with a byte order mark; send JSON without it"},
		"and no command":   {masked(nil, socket.OpText, "\ufeffhello"), 4501, askForToken},
		"empty":            {masked(nil, socket.OpText, ""), 4501, askForToken},
		"another command":  {masked(nil, socket.OpText, `{"action":"ping"}`), 4501, askForToken},
		"the token alone":  {masked(nil, socket.OpText, "a.b.c"), 4501, askForToken},
		"more in it":       {masked(nil, socket.OpText, `{"action":"connect","token":"a","topic":"t"}`), 4501, askForToken},
		"empty token":      {masked(nil, socket.OpText, connecting("")), 4500, "unauthorized: missing"},
		"no token":         {masked(nil, socket.OpText, connecting("a")), 4500, "unauthorized: malformed"},
		"16 KiB":           {masked(nil, socket.OpText, strings.Repeat("x", 16<<10)), 4501, askForToken},
		"more than 16 KiB": {masked(nil, socket.OpText, strings.Repeat("x", 16<<10+1)), 1009, "message over 16384 bytes"},
		"not UTF-8":        {masked(nil, socket.OpText, "\xff"), 1007, "text is not UTF-8"},
		"not masked":       {unmasked, 1002, "unmasked frame from a client"},
		"compressed":       {socket.AppendMaskedDeflatedFrame(nil, socket.OpText, []byte(strings.Repeat("x", 999)), [4]byte{1}), 1002, "compressed frame without permessage-deflate"},
		"a close":          {masked(nil, socket.OpClose, "\x0b\xb8bye"), 3000, ""},
		"a close, no code": {masked(nil, socket.OpClose, ""), 1005, ""},
		"pings only":       {[]byte(strings.Repeat(string(masked(nil, socket.OpPing, "")), 64)), 4013, "too many pings before the first message"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := dialRaw(t, s, upgrading("/"))
			client.write(c.frames)
			event := client.next()
			for event.Kind == socket.Pong {
				event = client.next()
			}
			if event.Kind != socket.Close || event.Code != uint16(c.code) || string(event.Data) != c.text {
				t.Errorf("kind %d, %d %q; want a close with %d %q", event.Kind, event.Code, event.Data, c.code, c.text)
			}
			if rest, err := io.ReadAll(client.input); len(rest) > 0 || err != nil {
				t.Errorf("behind the close: %q, %v", rest, err)
			}
		})
	}
}

// Nothing is inflated for a client that has yet to bring its token: permessage-deflate
// is negotiated only with one that brings it with the request.
func TestFirstMessageBomb(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{TokenInMessage: true, Compression: true})
	for target, want := range map[string]string{"/": "", "/?token=" + token(t, user("u1")): "permessage-deflate; server_no_context_takeover; client_no_context_takeover"} {
		c := newRaw(t, dialTCP(t, s))
		r := upgrading(target, "Sec-Websocket-Extensions", "permessage-deflate")
		_ = r.Write(c)
		if got := c.upgraded(r).Get("Sec-Websocket-Extensions"); got != want {
			t.Errorf("%s: extensions %q, want %q", target, got, want)
		}
		if want == "" {
			c.write(socket.AppendMaskedDeflatedFrame(nil, socket.OpText, []byte(strings.Repeat("x", 1<<20)), [4]byte{1}))
			c.wantsClose(1002)
		}
	}
}

// The time is that of the message: neither pings nor pieces of it buy more.
func TestFirstMessageIsLate(t *testing.T) {
	t.Parallel()
	piece := masked(nil, socket.OpText, connecting("a.b.c"))
	for name, octets := range map[string][]byte{"silent": nil, "pings": masked(nil, socket.OpPing, ""), "a piece": piece[:9]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				svc := newService(t, realtime.Options{})
				start := time.Now()
				c := dialPipe(t, svc.Handler(inMessage), upgrading("/"))
				for range len(octets) / 9 {
					pause := time.NewTimer(3 * time.Second)
					<-pause.C
					c.write(octets[:len(octets):len(octets)])
				}
				event := c.next()
				for event.Kind == socket.Pong {
					event = c.next()
				}
				if event.Kind != socket.Close || event.Code != 4501 || string(event.Data) != askForToken {
					t.Errorf("kind %d, %d %q", event.Kind, event.Code, event.Data)
				}
				wantsAfter(t, start, 5*time.Second, 5*time.Second)
			})
		})
	}
}

// A client that goes away is counted, and nothing is left of it.
func TestStrangerLeaves(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, inMessage)
	c := dialRaw(t, s, upgrading("/"))
	_ = c.Conn.Close()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n := metric(t, s.Service, "realtime_refusals_total"); n != 1 {
		t.Errorf("%v refusals are counted", n)
	}
}

// With another credential, or without a handshake, nothing waits for a message.
func TestTokenInMessageIsTheLastResort(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{TokenInMessage: true, AllowedOrigins: []string{"https://app.example.com"}})
	h := s.Handler(s.handler)
	good := token(t, user("u1"))
	for name, c := range map[string]struct {
		r      *http.Request
		status int
	}{
		"a bad token":     {upgrading("/?token=a"), 401},
		"an empty token":  {upgrading("/?token="), 401},
		"two credentials": {upgrading("/?token="+good, "Authorization", "Bearer "+good), 400},
		"bad handshake":   {upgrading("/", "Sec-Websocket-Version", "8"), 426},
		"no handshake":    {httptest.NewRequest(http.MethodGet, "/", nil), 426},
		"other origin":    {upgrading("/", "Origin", "https://evil.example"), 403},
	} {
		if status, _, text := ask(t, h, c.r); status != c.status {
			t.Errorf("%s: %d %q, want %d", name, status, text, c.status)
		}
	}
	for _, r := range []*http.Request{upgrading("/?token=" + good), upgrading("/", "Authorization", "Bearer "+good)} {
		c := dialRaw(t, s, r)
		c.wants("$connected")
		c.send(socket.OpText, `{"action":"connect","token":"`+good+`","ref":7}`)
		if reply := c.next(); !strings.Contains(string(reply.Data), `"ref":7,"ok":false,"error":{"code":"already_connected"`) {
			t.Errorf("a second token is answered by %q", reply.Data)
		}
	}
	c := dialRaw(t, s, upgrading("/", "Origin", "https://app.example.com"))
	c.send(socket.OpText, connecting(good))
	c.wants("$connected")
}

// A drain ends who has not said who it is at once, also while its token is
// being verified, and waits for that.
func TestShutdownEndsStrangers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header []string
		first  string
		code   realtime.CloseCode
	}{
		"plain":       {nil, "", 1012},
		"subprotocol": {[]string{"Sec-Websocket-Protocol", wire.Subprotocol}, "", 4001},
		"verifying":   {nil, connecting("x"), 1012},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				log := &journal{}
				svc := newService(t, realtime.Options{Log: log.logger(), Verifier: auth.VerifierFunc(func(ctx context.Context, _ string) (*realtime.Identity, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				})})
				client := dialPipe(t, svc.Handler(inMessage), upgrading("/", c.header...))
				if c.first != "" {
					client.send(socket.OpText, c.first)
				}
				synctest.Wait()
				start := time.Now()
				ended := make(chan error, 1)
				go func() { ended <- svc.Shutdown(context.Background()) }()
				client.wantsRetry(c.code, "drain")
				if err := <-ended; err != nil {
					t.Error(err)
				}
				wantsAfter(t, start, 0, 0)
				if n := metric(t, svc, "realtime_refusals_total"); n != 1 {
					t.Errorf("%v refusals are counted", n)
				}
				if text := log.String(); !strings.Contains(text, "reason=drain ") || strings.Contains(text, "ERROR") {
					t.Errorf("the log: %s", text)
				}
			})
		})
	}
}

// Neither a token nor what stands in its place is logged.
func TestFirstMessageStaysOutOfLogs(t *testing.T) {
	t.Parallel()
	log := &journal{}
	s := start(t, realtime.Options{Log: log.logger()}, inMessage)
	good := token(t, claims{"sub": "u1", "email": "person@example.com"})
	texts := []string{connecting(good), connecting(good[:len(good)-4] + "AAAA"), `{"action":"connect","` + good + `":1}`, good}
	for _, text := range texts {
		c := dialRaw(t, s, upgrading("/"))
		c.send(socket.OpText, text)
		if event := c.next(); strings.Contains(string(event.Data), good[:40]) {
			t.Errorf("it came back: %q", event.Data)
		}
		_ = c.Conn.Close()
	}
	_ = s.Shutdown(t.Context())
	all := log.String()
	if strings.Contains(all, good[:40]) || strings.Contains(all, "person@example.com") || strings.Count(all, "a connection was refused") != 3 {
		t.Errorf("the log: %s", all)
	}
}

// A middleware that hides http.Hijacker is told of, and keeps no place.
func TestTokenInMessageBehindMiddleware(t *testing.T) {
	t.Parallel()
	h := newService(t, realtime.Options{}).Handler(inMessage)
	hidden := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(hiding{w}, r) })
	for range 4100 {
		if status, _, text := ask(t, hidden, upgrading("/")); status != 500 || text != "this server cannot upgrade connections" {
			t.Fatalf("%d %q", status, text)
		}
	}
}

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
