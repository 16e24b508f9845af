package faults_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/faultproxy"
	"boundary-app.org/realtime/internal/faults"
	"boundary-app.org/realtime/wire"
)

// unlucky reports whether callbacks panic for a user.
func unlucky(c *realtime.Conn) bool { return strings.HasPrefix(c.UserID(), "unlucky") }

// panicking are callbacks that panic for the unlucky.
func panicking() realtime.HandlerOptions {
	return realtime.HandlerOptions{
		OnOpen: func(_ context.Context, c *realtime.Conn) error {
			if unlucky(c) {
				panic("in OnOpen")
			}
			return nil
		},
		OnMessage: func(_ context.Context, c *realtime.Conn, _ []byte) {
			if unlucky(c) {
				panic("in OnMessage")
			}
		},
		OnClose: func(_ context.Context, c *realtime.Conn, _ realtime.CloseCode, _ string) {
			if unlucky(c) {
				panic("in OnClose")
			}
		},
		AuthorizeTopic: func(_ context.Context, c *realtime.Conn, _ string) error {
			if unlucky(c) {
				panic("in AuthorizeTopic")
			}
			return nil
		},
	}
}

// brittle is a verifier of tokens that are user ids, and panics for one.
type brittle struct{}

func (brittle) Verify(_ context.Context, token string) (*realtime.Identity, error) {
	if token == "brittle" {
		panic("in the Verifier")
	}
	return &realtime.Identity{UserID: token}, nil
}

// Every callback panics under traffic, again and again. The process lives, who
// is not concerned gets everything, and who is learns what PROTOCOL.md says.
func TestPanickingCallbacks(t *testing.T) {
	t.Parallel()
	const rounds = 50
	n := start(t, realtime.Options{Verifier: brittle{}}, panicking())
	var calls atomic.Int64
	stop, err := n.OnTopic("t", func(context.Context, realtime.Message) error {
		calls.Add(1)
		panic("in a listener")
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	everyone := faults.Stamp{Source: faults.Source{Stream: "everyone", Publisher: "p"}, Seq: rounds}
	b := n.follow(n.connect("bystander"), "bystander", "topic t")
	if err := b.subscribe("t"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.wait("$reply"); err != nil {
		t.Fatal(err)
	}
	heard := make(chan error, 1)
	go func() { heard <- b.until(everyone) }()
	for range rounds {
		n.wantsRefusals()
		n.wantsUnlucky()
		n.publish(realtime.Topic("t"), "p", 100)
		n.publish(realtime.User("bystander"), "p", 100)
		n.publish(realtime.Everyone(), "p", 100)
	}
	if err := eventually(t, heard, "the bystander to hear everything"); err != nil {
		t.Error(err)
	}
	b.log.End("the end of the test", n.ledger.Marks("everyone", "topic t", "user bystander"))
	wantsNothingWrong(t, b.log)
	becomes(t, "every call of the listener was made", func() bool { return calls.Load() == rounds })
	becomes(t, "only the bystander is left", func() bool { return n.ConnectionCount() == 1 })
}

// connect connects with a user id as the token.
func (n *node) connect(user string, protocols ...string) *client {
	n.t.Helper()
	c, err := n.try(user, protocols...)
	if err != nil {
		n.t.Fatalf("connect %s: %v", user, err)
	}
	n.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (n *node) try(user string, protocols ...string) (*client, error) {
	conn, err := net.Dial("tcp", n.addr)
	if err != nil {
		return nil, err
	}
	return upgrade(conn, user, protocols...)
}

// wantsRefusals meets a Verifier that panics.
func (n *node) wantsRefusals() {
	n.t.Helper()
	var status *refused
	if _, err := n.try("brittle"); !errors.As(err, &status) || status.status != 500 {
		n.t.Errorf("where the Verifier panics: %v, want 500", err)
	}
	if _, err := n.try("brittle", wire.Subprotocol); closeCode(err) != wire.CloseInternalError {
		n.t.Errorf("where the Verifier panics, with the subprotocol: %v, want 1011", err)
	}
}

// wantsUnlucky connects somebody for whom everything panics: it is connected,
// its subscription fails, and its message ends it.
func (n *node) wantsUnlucky() {
	n.t.Helper()
	c := n.connect("unlucky")
	stamp := n.publish(realtime.User("unlucky"), "p", 100)
	if f, err := c.wait("stamp"); err != nil || f.Payload != stamp.Payload(100) {
		n.t.Errorf("after OnOpen has panicked: %+v, %v", f, err)
	}
	if err := c.subscribe("t"); err != nil {
		n.t.Error(err)
	}
	if f, err := c.wait("$reply"); err != nil || f.OK || f.Error.Code != string(wire.CodeInternal) {
		n.t.Errorf("when AuthorizeTopic has panicked: %+v, %v", f, err)
	}
	if err := c.say("hello"); err != nil {
		n.t.Error(err)
	}
	if err := c.end(); closeCode(err) != wire.CloseInternalError {
		n.t.Errorf("when OnMessage has panicked: %v, want 1011", err)
	}
	if end := n.wantsClose(c.id); end.code != wire.CloseInternalError {
		n.t.Errorf("OnClose was told %d, want 1011", end.code)
	}
}

// A callback that panics while its connection breaks, through a proxy.
func TestPanicWhileBreaking(t *testing.T) {
	t.Parallel()
	n := start(t, realtime.Options{}, panicking())
	for i := range 30 {
		c := n.dial("unlucky", faultproxy.Plan{Up: faultproxy.Faults{Then: breaks[i%2], After: 400 + int64(i)}})
		for c.say("hello") == nil {
			// until the proxy has broken it
		}
		n.wantsClose(c.id)
	}
	n.wantsNobody()
}
