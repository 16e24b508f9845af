package engine

import (
	"testing"

	"boundary-app.org/realtime/bus"
)

// Connections that wait to be opened push out their like alone: those that are open
// stay until one of them is opened.
func TestEvictionAtOpen(t *testing.T) {
	t.Parallel()
	const most = 2
	e := newEngine(t, func(c *Config) { c.Caps = Caps{PerUser: most, EvictUser: true} })
	members := func(want int) {
		t.Helper()
		if n := e.MemberCount(bus.User, "u"); n != want {
			t.Errorf("%d connections, want %d", n, want)
		}
	}
	var peers []*peer
	for range 5 * most {
		p := newPeer()
		if err := e.Register(&p.Conn, Spec{User: "u", Handler: p, Transport: p}); err != nil {
			t.Fatal(err)
		}
		if peers = append(peers, p); len(peers) == most {
			peers[0].Open(nil)
			peers[1].Open(nil)
		}
	}
	members(2 * most)
	if peers[0].Ended() || peers[1].Ended() {
		t.Error("an open connection was closed for one that may yet be refused")
	}
	for _, p := range peers[most:] {
		p.Open(nil)
	}
	members(most)
	if err := e.ConsistencyCheck(); err != nil {
		t.Error(err)
	}
}

// A connection that is refused before it is opened takes no place.
func TestRefusedConnectionEvictsNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(c *Config) { c.Caps = Caps{PerUser: 1, EvictUser: true, PerSource: 1, EvictSource: true} })
	first, second := newPeer(), newPeer()
	for _, p := range []*peer{first, second} {
		if err := e.Register(&p.Conn, Spec{User: "u", Source: "s", Handler: p, Transport: p}); err != nil {
			t.Fatal(err)
		}
		if p == second {
			p.CloseNow(4403, "no")
		}
		p.Open(nil)
	}
	if first.Ended() {
		t.Error("the first connection was closed")
	}
}
