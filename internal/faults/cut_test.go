package faults_test

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/faultproxy"
	"boundary-app.org/realtime/internal/faults"
	"boundary-app.org/realtime/internal/socket"
)

// unpinged are the options of a node whose clients may take long until they read:
// they connect one after the other.
var unpinged = realtime.Options{PingInterval: -1}

// ways of breaking a connection.
var breaks = []faultproxy.Action{faultproxy.Cut, faultproxy.Reset}

// A handshake that breaks anywhere, in the request or in the answer, leaves
// nothing behind and harms nobody.
func TestBreakInHandshake(t *testing.T) {
	everyFront(t, func(t *testing.T, via front) {
		n := startBehind(t, via, unpinged, realtime.HandlerOptions{})
		const broadcasts = 100
		others := n.bystanders(3, "p", broadcasts)
		token := n.Token(realtime.Identity{UserID: "u1"})
		up, down := n.opening()
		var all sync.WaitGroup
		for i := range int64(broadcasts) {
			n.publish(realtime.Everyone(), "p", 100)
			for _, action := range breaks {
				all.Go(func() {
					n.wantsBroken(token, faultproxy.Plan{Up: faultproxy.Faults{Then: action, After: i * up / broadcasts}})
					n.wantsBroken(token, faultproxy.Plan{Down: faultproxy.Faults{Then: action, After: i * down / broadcasts}})
				})
			}
			all.Wait()
		}
		others.wantAll()
		n.wantsOnlyBystanders(len(others.all))
	})
}

// wantsBroken connects, which must fail for the fault.
func (n *node) wantsBroken(token string, plan faultproxy.Plan) {
	conn, link, err := n.proxy.Dial(n.t.Context(), plan)
	if err != nil {
		n.t.Error(err)
		return
	}
	if c, err := upgrade(n.front.client(conn), token); err == nil {
		n.t.Errorf("it is connected through %+v", plan)
		_ = c.Close()
	}
	<-link.Done()
}

// wantsOnlyBystanders waits until everybody else's connection has ended.
func (n *node) wantsOnlyBystanders(clients int) {
	n.t.Helper()
	becomes(n.t, "the broken connections are gone", func() bool { return n.ConnectionCount() == clients })
	for _, c := range n.Connections(realtime.Everyone()) {
		if !strings.HasPrefix(c.UserID(), "bystander") {
			n.t.Errorf("%s is still connected", c.UserID())
		}
	}
}

// A connection that breaks within a frame from the server has brought whole
// messages until then, and OnClose is told once.
func TestBreakInFrame(t *testing.T) {
	everyFront(t, func(t *testing.T, via front) {
		n := startBehind(t, via, unpinged, realtime.HandlerOptions{})
		const rounds, messages = 40, 5
		_, opening := n.opening()
		others := n.bystanders(3, "p", rounds*messages)
		for i := range int64(rounds) {
			after := opening + 50 + 17*i // the messages have about 300 octets each
			broken := n.dial("u1", faultproxy.Plan{Down: faultproxy.Faults{Then: breaks[i%2], After: after}})
			f := n.follow(broken, "u1")
			var last faults.Stamp
			for range messages {
				last = n.publish(realtime.Everyone(), "p", 200)
			}
			if err := f.until(last); err == nil || closeCode(err) != 0 {
				t.Errorf("after %d octets: %v, want a broken connection", after, err)
			}
			f.log.End(broken.link.Fault().String(), nil)
			wantsNothingWrong(t, f.log)
			if end := n.wantsClose(broken.id); end.code != realtime.CloseCode(socket.CloseAbnormal) {
				t.Errorf("OnClose was told %d, want 1006", end.code)
			}
		}
		others.wantAll()
		n.wantsOnlyBystanders(len(others.all))
	})
}

// A connection that breaks within a frame from its client does not bring that
// message to the application.
func TestBreakInClientsFrame(t *testing.T) {
	everyFront(t, func(t *testing.T, via front) {
		heard := make(chan string, 100)
		n := startBehind(t, via, unpinged, realtime.HandlerOptions{OnMessage: hear(heard)})
		frame := len(socket.AppendMaskedFrame(nil, socket.OpText, []byte("message"), [4]byte{}))
		for cut := 1; cut < frame; cut++ {
			conn, link, err := n.proxy.Dial(t.Context(), faultproxy.Plan{})
			if err != nil {
				t.Fatal(err)
			}
			c := n.upgraded(fmt.Sprint("u", cut), conn, link)
			if err := c.say("message"); err != nil {
				t.Fatal(err)
			}
			if got := eventually(t, heard, "the message"); got != "message" {
				t.Errorf("the application heard %q", got)
			}
			half := socket.AppendMaskedFrame(nil, socket.OpText, []byte("message"), [4]byte{1, 2, 3, 4})[:cut]
			if _, err := c.Write(half); err != nil {
				t.Fatal(err)
			}
			link.Do(breaks[cut%2])
			n.wantsClose(c.id)
		}
		if len(heard) > 0 {
			t.Errorf("the application heard %q, which has not come whole", <-heard)
		}
		n.wantsNobody()
	})
}

// Half of many connections break while they all are written to: the other half
// gets everything, and each of the broken ones all that came before.
func TestBreakInFanout(t *testing.T) {
	everyFront(t, func(t *testing.T, via front) {
		const (
			clients    = 150
			broadcasts = 100
			size       = 1000
		)
		n := startBehind(t, via, unpinged, realtime.HandlerOptions{})
		_, opening := n.opening()
		others := n.bystanders(clients, "p", broadcasts)
		var broken sync.WaitGroup
		for i := range clients {
			user := fmt.Sprint("u", i)
			after := opening + 500 + int64(i)*(broadcasts-10)*size/clients
			f := n.follow(n.dial(user, faultproxy.Plan{Down: faultproxy.Faults{Then: breaks[i%2], After: after}}), user)
			broken.Go(func() {
				err := f.until(others.last)
				f.log.End(f.link.Fault().String(), nil)
				wantsNothingWrong(t, f.log)
				if err == nil {
					t.Errorf("%s got everything, and should have been broken after %d octets", user, after)
				}
			})
		}
		for range broadcasts {
			n.publish(realtime.Everyone(), "p", size)
		}
		broken.Wait()
		others.wantAll()
		n.wantsOnlyBystanders(clients)
	})
}

// A client that hangs up between being accepted and being spoken to.
func TestGoneBeforeTheFirstOctet(t *testing.T) {
	t.Parallel()
	n := start(t, unpinged, realtime.HandlerOptions{})
	others := n.bystanders(2, "p", 1)
	for i := range 50 {
		conn, err := net.Dial("tcp", n.addr)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		_ = conn.Close()
	}
	n.publish(realtime.Everyone(), "p", 100)
	others.wantAll()
	n.wantsOnlyBystanders(2)
}
