package engine

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"boundary-app.org/realtime/bus"
)

// interestModel is the set of addresses that were added and not removed.
type interestModel struct {
	t *testing.T

	mu      sync.Mutex
	present map[key]bool
	changes int
}

func newInterestModel(t *testing.T) *interestModel {
	return &interestModel{t: t, present: map[key]bool{}}
}

func (m *interestModel) Added(route bus.Route, name string) { m.change(key{route, name}, true) }

func (m *interestModel) Removed(route bus.Route, name string) { m.change(key{route, name}, false) }

func (m *interestModel) change(k key, added bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.present[k] == added {
		m.t.Errorf("%s %q: added %t twice in a row", k.route, k.name, added)
	}
	if m.changes++; added {
		m.present[k] = true
	} else {
		delete(m.present, k)
	}
}

// matches holds what was added against who has members.
func (m *interestModel) matches(e *Engine) {
	m.t.Helper()
	want := map[key]bool{}
	for _, route := range []bus.Route{bus.Everyone, bus.User, bus.Role, bus.Topic} {
		e.Groups(route, func(name string, members int) {
			if members > 0 {
				want[key{route, name}] = true
			}
		})
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !maps.Equal(m.present, want) {
		m.t.Errorf("interest in %v, want %v", m.present, want)
	}
}

// Several goroutines connect, subscribe, change roles and disconnect at random, in
// few groups, so that these are often the first and the last.
func TestInterestAgainstModel(t *testing.T) {
	t.Parallel()
	model := newInterestModel(t)
	e := newEngine(t, func(c *Config) {
		c.Interest, c.Caps = model, Caps{PerUser: 2, PerSource: 6}
	})
	var clients sync.WaitGroup
	for seed := range uint64(4) {
		clients.Go(func() { joinAndLeave(e, rand.New(rand.NewPCG(seed, 2))) })
	}
	clients.Wait()
	model.matches(e)
	for c := range e.All {
		c.Close(1000, "")
	}
	model.matches(e)
	if len(model.present) > 0 || model.changes < 100 {
		t.Errorf("interest in %v is left, after %d changes", model.present, model.changes)
	}
}

func joinAndLeave(e *Engine, random *rand.Rand) {
	one := func(kind string) string { return fmt.Sprint(kind, random.IntN(3)) }
	var peers []*peer
	for range 1000 {
		if len(peers) == 0 || random.IntN(4) == 0 {
			p := newPeer()
			spec := Spec{User: one("u"), Roles: []string{one("r")}, Source: one("s"), Handler: p, Transport: p}
			if e.Register(&p.Conn, spec) == nil {
				p.Open(nil)
				peers = append(peers, p)
			}
			continue
		}
		i := random.IntN(len(peers))
		switch p := peers[i]; random.IntN(4) {
		case 0:
			p.Conn.Close(1000, "")
			peers = append(peers[:i], peers[i+1:]...)
		case 1:
			p.SetRoles([]string{one("r")})
		case 2:
			_, _ = p.Subscribe(one("t"), 0)
		case 3:
			p.Unsubscribe(one("t"))
		}
	}
}

// A place that is reserved for a connection is no connection.
func TestInterestLeavesReservedPlacesOut(t *testing.T) {
	t.Parallel()
	model := newInterestModel(t)
	e := newEngine(t, func(c *Config) {
		c.Interest, c.Caps = model, Caps{PerUser: 1, PerSource: 1}
	})
	k := key{bus.User, "u"}
	if !e.index.reserve(k, e.shards[0], 1, false) {
		t.Fatal("no place")
	}
	model.matches(e)
	e.index.release(k, e.shards[0])
	release, err := e.Hold("s")
	if err != nil {
		t.Fatal(err)
	}
	release()
	if model.changes > 0 {
		t.Errorf("%d changes without a connection", model.changes)
	}
}
