package engine

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime/bus"
)

// greedy is a Transport that appends to the texts that it gets, and changes them.
type greedy struct{ *peer }

func (g greedy) Send(text []byte) error {
	g.await()
	_ = g.peer.Send(text)
	_ = append(text, "\nand more"...)
	clear(text)
	return nil
}

// What a Transport does to the texts that it gets touches no other connection.
func TestTransportOwnsItsText(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(c *Config) { c.Shards = 1 })
	var peers []*peer
	var reads []func()
	for range 3 {
		p := newPeer()
		peers = append(peers, p)
		if err := e.Register(&p.Conn, Spec{User: "u", Handler: p, Transport: greedy{p}}); err != nil {
			t.Fatal(err)
		}
		p.Open([]byte("open"))
	}
	for _, way := range paths {
		p := newPeer()
		peers = append(peers, p)
		reads = append(reads, p.closeGate(t))
		register(t, e, way, p, "u")
	}
	want := []string{"open"}
	for range 5 {
		release := stall(e)
		for _, text := range []string{"first", "second", "third"} { // which travel in one chunk
			want = append(want, text)
			e.Send(bus.Everyone, "", []byte(text))
		}
		release()
		e.Members(bus.Everyone, "")
	}
	for _, read := range reads {
		read()
	}
	for _, p := range peers {
		p.Conn.Close(1000, "")
	}
	for i, p := range peers {
		if got := p.log(); !slices.Equal(got, want) {
			t.Errorf("peer %d received %q, want %q", i, got, want)
		}
	}
}

// cutTransport blocks in its first Send, and counts the calls after Close.
type cutTransport struct {
	blocked, release chan struct{}
	sends            atomic.Int32
	closed           atomic.Bool
	late             atomic.Int32
}

func (c *cutTransport) Send([]byte) error {
	if c.closed.Load() {
		c.late.Add(1)
	}
	if c.sends.Add(1) == 1 {
		close(c.blocked)
		<-c.release
	}
	return nil
}

func (c *cutTransport) Close(uint16, string) error {
	c.closed.Store(true)
	return nil
}

// A Transport that was cut while a Send was blocked gets nothing after its Close.
func TestTransportGetsNothingAfterItsClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, func(c *Config) { c.Shards = 1 })
		p, tr := newPeer(), &cutTransport{blocked: make(chan struct{}), release: make(chan struct{})}
		if err := e.Register(&p.Conn, Spec{User: "u", Handler: p, Transport: tr}); err != nil {
			t.Fatal(err)
		}
		p.Conn.Send([]byte("first"))
		p.Conn.Send([]byte("second"))
		p.Open(nil)
		<-tr.blocked
		p.Conn.Close(1000, "")
		time.Sleep(time.Minute) // in virtual time: CloseTimeout passes
		if !tr.closed.Load() {
			t.Error("it was not cut")
		}
		close(tr.release)
		synctest.Wait()
		if n := tr.late.Load(); n > 0 {
			t.Errorf("it got %d texts after its Close", n)
		}
	})
}
