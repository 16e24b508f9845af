package engine

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"boundary-app.org/realtime/internal/socket"
)

// The table in the comment of closeState is the table that the code goes by.
func TestCloseTableIsDocumented(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("closestate.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(string(source), "action\n//\n")
	rows, _, _ = strings.Cut(rows, "type closeState")
	var documented []string
	event := ""
	for row := range strings.Lines(rows) {
		fields := strings.Fields(strings.TrimPrefix(row, "//"))
		if len(fields) == 4 {
			event, fields = fields[0], fields[1:]
		}
		documented = append(documented, event+" "+strings.Join(fields, " "))
	}
	actions := []string{"invalid", "none", "awaitHandler", "sendClose", "stopReading", "stopWriting", "shutdownWrite", "markDead"}
	var coded []string
	for ev := range closeEvents {
		for state := range closeStates {
			if step := transitions[state][ev]; step.do != invalid {
				coded = append(coded, fmt.Sprint(ev, " ", state, " ", step.next, " ", actions[step.do]))
			}
		}
	}
	if !slices.Equal(documented, coded) {
		t.Errorf("documented are\n%s\ncoded are\n%s", strings.Join(documented, "\n"), strings.Join(coded, "\n"))
	}
}

// A connection never goes back, and from every state it can be closed.
func TestCloseStatesMoveForward(t *testing.T) {
	t.Parallel()
	for state := range closeStates {
		for ev := range closeEvents {
			if step := transitions[state][ev]; step.do != invalid && step.next < state {
				t.Errorf("%s leads from %s back to %s", ev, state, step.next)
			}
		}
		if step := transitions[state][onDisconnect]; state != dead && step != die {
			t.Errorf("%s survives %s", state, onDisconnect)
		}
	}
}

// paths of events lead to each state.
var eventsTo = [closeStates][]closeEvent{
	opening:         {},
	peerClosedEarly: {onPeerClose},
	open:            {onOpen},
	peerClosed:      {onOpen, onPeerClose},
	broken:          {onOpen, onWriteFail},
	closing:         {onOpen, onClose},
	flushing:        {onOpen, onAbort},
	lingering:       {onOpen, onAbort, onFlushed},
	dead:            {onOpen, onDisconnect},
}

// Every event in every state leads where the table says, the engine finds itself
// consistent there, and then the connection ends: its handler is told once, and its
// client gets one close frame at most. An event that cannot come is reported.
func TestCloseTable(t *testing.T) {
	t.Parallel()
	for way, connect := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, func(c *Config) { c.Shards = 1 })
			for state := range closeStates {
				for ev := range closeEvents {
					k, client := collect(t, e, connect, nil)
					close(k.gate)
					do(k.shard, func() { k.walk(t, state, ev) })
					if ev != onOpen && !slices.Contains(eventsTo[state], onOpen) {
						k.Open(nil)
					} else {
						k.releaseCalls()
					}
					k.Conn.Close(4001, "over")
					_ = client.(interface{ CloseWrite() error }).CloseWrite()
					k.checkEnd(t, client, fmt.Sprint(ev, " in ", state))
				}
			}
			if err := e.ConsistencyCheck(); err != nil {
				t.Error(err)
			}
		})
	}
}

// walk leads a new connection to a state, and has the event come. It runs on the loop.
func (k *collector) walk(t *testing.T, state closeState, ev closeEvent) {
	s := k.shard
	for _, before := range eventsTo[state] {
		k.come(before)
	}
	if k.state != state || s.invalid != nil {
		t.Fatalf("the way to %s leads to %s: %v", state, k.state, s.invalid)
	}
	want, err := state.step(ev)
	if want.do == invalid {
		want.next = state
	}
	if k.come(ev); k.state != want.next || fmt.Sprint(s.invalid) != fmt.Sprint(err) {
		t.Errorf("%s in %s leads to %s with error %v, want %s and %v", ev, state, k.state, s.invalid, want.next, err)
	}
	s.invalid = nil
	found := make(chan []error, 1)
	s.inspect(&task{arg: found})
	if problems := <-found; len(problems) > 0 {
		t.Errorf("after %s in %s: %v", ev, state, problems)
	}
}

func (k *collector) come(ev closeEvent) {
	switch {
	case ev == onFlushed && k.state == flushing:
		k.shard.flushInTest(&k.Conn)
	case ev == onClose, ev == onAbort, ev == onPeerClose:
		k.shard.transition(&k.Conn, ev, cause{ending{4000, ""}, ev == onPeerClose})
	default:
		k.shard.transition(&k.Conn, ev, cause{})
	}
}

// flushInTest writes what waits, at once also off the loop.
func (s *shard) flushInTest(c *Conn) {
	if c.blocking == nil {
		s.flush(c)
		return
	}
	var frames [][]byte
	for _, ch := range c.out.chunks {
		frames = append(frames, ch.data)
	}
	_ = c.blocking.link.write(frames)
	s.dropBacklog(c)
	s.transition(c, onFlushed, cause{})
}

// checkEnd reads a client to its end.
func (k *collector) checkEnd(t *testing.T, client net.Conn, after string) {
	t.Helper()
	closes := 0
	for _, frame := range framesOf(t, client) {
		if frame[:2] == "88" {
			closes++
		}
	}
	if closes > 1 {
		t.Errorf("after %s the client got %d close frames", after, closes)
	}
	if end := <-k.ended; end.code != 4000 && end.code != 4001 && end.code != socket.CloseAbnormal {
		t.Errorf("after %s the handler was told %d", after, end.code)
	}
}

// An idle connection costs no more than this: it is what a node has most of.
func TestConnSize(t *testing.T) {
	t.Parallel()
	if size := unsafe.Sizeof(Conn{}); size > 152 {
		t.Errorf("a connection has %d bytes", size)
	}
}
