package faultproxy

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Way is a direction through the proxy.
type Way int

// The ways.
const (
	Up   Way = iota // from the client to the server
	Down            // from the server to the client
)

// Action is what is done to a way, or to the whole connection.
type Action int

// The actions. A way begins with Forward.
const (
	// Forward passes octets on.
	Forward Action = iota
	// Stall passes nothing on, the end of the stream included: both sockets stay
	// open, and the buffers of the system fill. What has been handed to the
	// system before still arrives.
	Stall
	// Swallow reads and discards, the end of the stream included.
	Swallow
	// Cut closes both sockets of the connection, whatever the way.
	Cut
	// Reset closes both sockets of the connection so that each peer gets a RST.
	Reset
)

// String returns the action's name in lower case.
func (a Action) String() string {
	names := [...]string{"forward", "stall", "swallow", "cut", "reset"}
	if a < 0 || int(a) >= len(names) {
		return fmt.Sprintf("action %d", int(a))
	}
	return names[a]
}

// Faults is what happens to one way. The zero value forwards.
type Faults struct {
	// Delay is how long each piece waits before it goes on. It slows the way
	// down too, to a piece a delay.
	Delay time.Duration
	// Piece is how many octets go on at a time, at most. 0: as they come.
	Piece int
	// Then is done once exactly After octets have gone on. Forward: nothing is.
	Then  Action
	After int64
}

// Plan is what happens to a connection. The zero value forwards.
type Plan struct {
	Up, Down Faults
}

// Draw makes the plan of a seed: one way that breaks after 1 to most octets,
// cut, reset, stalled or swallowed, and now and then small pieces or a small
// delay. The same arguments make the same plan. most must be positive.
func Draw(seed uint64, most int64) Plan {
	r := rand.New(rand.NewPCG(seed, 0))
	var p Plan
	broken := &p.Down
	if r.IntN(4) == 0 {
		broken = &p.Up
		most = 1 + most/64 // clients say little
	}
	broken.Then = [...]Action{Stall, Swallow, Cut, Cut, Cut, Cut, Cut, Reset, Reset, Reset, Reset, Reset}[r.IntN(12)]
	broken.After = 1 + r.Int64N(most)
	switch r.IntN(4) {
	case 0:
		p.Down.Piece = 1 + r.IntN(4096)
	case 1:
		p.Down.Delay = time.Duration(r.Int64N(int64(2 * time.Millisecond)))
	}
	return p
}
