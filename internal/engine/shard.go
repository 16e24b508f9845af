package engine

import (
	"errors"
	"sync"
	"time"

	"boundary-app.org/realtime/internal/poll"
)

const (
	readBuffer = 16 << 10 // what one connection may bring in one turn: some thousands of frames at the most
	pollBatch  = 256
)

// shard is one loop and the connections it owns.
type shard struct {
	engine *Engine
	inbox  inbox

	// owned by the loop
	slots   []slot
	free    []int32
	seq     uint32  // of the newest fanout
	run     *fanout // the fanout that the next message to the same list joins
	small   queue   // lists whose fanout is done at once
	large   queue   // lists whose fanout is done in slices
	waiting int     // lists in both queues
	heads   []*fanout
	dirty   []*Conn // connections whose backlog is to be flushed
	dead    []*Conn // connections whose socket is to be closed
	invalid error   // the last event that could not come; see ConsistencyCheck
	buf     []byte  // what is read
	scratch []byte  // small chunks on their way to one write
	wheel   wheel
	busy    map[*Conn]busy   // connections that owe a pong behind other data
	ends    map[*Conn]cause  // what peers have ended whose handlers are behind
	rests   map[*Conn][]byte // bytes that were read while the handler was behind
	now     time.Time
	gap     gap   // the last
	serial  int32 // generation of the newest connection
	stopped bool
	tally   tally

	// the poller, made for the first descriptor
	pollOnce sync.Once
	poller   *poll.Poller
	ready    chan []poll.Event
	handled  chan struct{}
	done     chan struct{} // closed when the loop has ended
}

// slot is what the write loop touches of a connection, dense in memory. With
// the connection itself out of the way, a fan-out walks 16 bytes a recipient.
type slot struct {
	fd   int32  // -1: not simply writable, ask the connection
	seen uint32 // the newest fanout the connection has had
	conn *Conn
}

// tally is what the loop counts between two visits to the metrics.
type tally struct {
	deliveries int
	backlog    int
}

// arrival is the argument of attach.
type arrival struct{ prelude, buffered []byte }

func newShard(e *Engine) *shard {
	return &shard{
		engine:  e,
		inbox:   inbox{wake: make(chan struct{}, 1)},
		wheel:   newWheel(),
		now:     e.start,
		busy:    map[*Conn]busy{},
		ends:    map[*Conn]cause{},
		rests:   map[*Conn][]byte{},
		scratch: make([]byte, 0, scratchSize),
		ready:   make(chan []poll.Event),
		handled: make(chan struct{}),
		done:    make(chan struct{}),
	}
}

// loop owns the shard until Stop.
func (s *shard) loop() {
	defer close(s.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var spare []task
	for {
		spare = s.drainInbox(spare)
		s.advance()
		s.endIteration()
		switch {
		case s.stopped:
			s.end()
			s.endIteration()
			return
		case s.waiting > 0:
			s.poll()
		default:
			s.rewind()
			s.wait(timer)
		}
	}
}

// drainInbox works through the inbox. The slice it swaps in comes back as the next spare.
func (s *shard) drainInbox(spare []task) []task {
	s.inbox.mu.Lock()
	tasks := s.inbox.tasks
	s.inbox.tasks = spare[:0]
	s.inbox.mu.Unlock()
	if len(tasks) > 0 {
		s.readClock()
	}
	for i := range tasks {
		t := &tasks[i]
		if t.run == nil {
			s.enqueue(t.list, t.msg)
		} else {
			t.run(s, t)
		}
	}
	if cap(tasks) > tasksKept {
		return nil
	}
	clear(tasks)
	return tasks
}

// endIteration flushes backlogs, closes the sockets of dead connections and updates
// the metrics.
func (s *shard) endIteration() {
	s.flushDirty()
	s.teardownDead()
	m := s.engine.metrics
	if s.tally.deliveries > 0 {
		m.Deliveries.Add(float64(s.tally.deliveries))
	}
	if s.tally.backlog != 0 {
		m.BacklogBytes.Add(float64(s.tally.backlog))
	}
	s.tally = tally{}
}

// wait blocks until there is something to do.
func (s *shard) wait(timer *time.Timer) {
	s.setTimer(timer)
	select {
	case <-s.inbox.wake:
	case events := <-s.ready:
		s.onEvents(events)
	case <-timer.C:
		s.onTimer()
	}
}

// runPoller hands ready events to the loop until the poller is closed.
func (s *shard) runPoller() {
	var events []poll.Event
	for {
		var err error
		if events, err = s.poller.Wait(events[:0]); err != nil {
			if !errors.Is(err, poll.ErrClosed) {
				s.engine.log.Error("poll failed; connections of this shard are deaf", "error", err)
			}
			return
		}
		if len(events) == 0 {
			continue
		}
		select {
		case s.ready <- events:
		case <-s.done:
			return
		}
		select {
		case <-s.handled:
		case <-s.done:
			return
		}
	}
}
