package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
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
// the connection itself out of the way, a fan-out walks 16 octets a recipient.
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

// task is one thing for a loop to do: run, or where that is nil, write msg to
// the members of list.
type task struct {
	run  func(*shard, *task)
	conn *Conn
	list *list
	msg  *message
	arg  any
}

// arrival is the argument of attach.
type arrival struct{ prelude, buffered []byte }

const (
	// taskCost is what a message in an inbox costs besides its frame.
	taskCost = 256
	// tasksKept is how many tasks an inbox keeps room for.
	tasksKept = 4096
)

// inbox is how everybody else speaks to a loop.
type inbox struct {
	mu     sync.Mutex
	tasks  []task        // guarded by mu
	relief chan struct{} // guarded by mu; closed when load has fallen
	wake   chan struct{}
	load   atomic.Int64 // octets posted and not yet written
}

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

// post queues a task. It does not wait.
func (s *shard) post(t task) {
	in := &s.inbox
	if t.msg != nil {
		in.load.Add(int64(len(t.msg.frame) + taskCost))
	}
	in.mu.Lock()
	first := len(in.tasks) == 0
	in.tasks = append(in.tasks, t)
	in.mu.Unlock()
	if first {
		select {
		case in.wake <- struct{}{}:
		default:
		}
	}
}

// admit waits until the inbox has room.
func (s *shard) admit(ctx context.Context) error {
	in := &s.inbox
	for in.load.Load() > int64(s.engine.cfg.MaxInbox) {
		in.mu.Lock()
		if in.relief == nil {
			in.relief = make(chan struct{})
		}
		relief := in.relief
		in.mu.Unlock()
		if in.load.Load() <= int64(s.engine.cfg.MaxInbox) {
			return nil // it fell before relief was there to be closed
		}
		select {
		case <-relief:
		case <-s.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// unload notes that messages with so many octets have been dealt with.
func (s *shard) unload(octets, messages int) {
	in := &s.inbox
	octets += messages * taskCost
	after := in.load.Add(-int64(octets))
	limit := int64(s.engine.cfg.MaxInbox)
	if after > limit || after+int64(octets) <= limit {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.relief != nil {
		close(in.relief)
		in.relief = nil
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

// poll handles events and timers that are due, between two slices of a long fan-out.
func (s *shard) poll() {
	runtime.Gosched() // on one processor publishers and handlers get their turn
	select {
	case events := <-s.ready:
		s.onEvents(events)
	default:
	}
	s.readClock()
	if at, ok := s.wheel.next(); ok && !s.tick().before(at) {
		s.onTimer()
	}
}

func (s *shard) onEvents(events []poll.Event) {
	s.readClock()
	for _, e := range events {
		s.onEvent(e)
	}
	s.handled <- struct{}{}
	s.flushDirty()
}

func (s *shard) onEvent(e poll.Event) {
	if int(e.Token.Slot) >= len(s.slots) {
		return
	}
	c := s.slots[e.Token.Slot].conn
	if c == nil || c.generation != e.Token.Generation || c.state == dead {
		return // the event was on its way when the connection ended
	}
	if e.Writable {
		s.flush(c)
	}
	switch {
	case c.blocking != nil:
		s.startReader(c)
	case c.flags&flagPaused == 0 && (e.Readable || e.Hangup):
		s.readable(c)
	case e.Hangup:
		s.writeFailed(c)
	}
}

// watch begins to poll a connection's descriptor.
func (s *shard) watch(c *Conn) error {
	return s.poller.Add(int(c.fd), poll.Token{Slot: c.slot, Generation: c.generation})
}

// adopt takes a connection's descriptor over, where the system allows it.
func (s *shard) adopt(conn net.Conn) (fd int, ok bool) {
	if !poll.Takes(conn) {
		return -1, false
	}
	s.startPoller()
	if s.poller == nil {
		return -1, false
	}
	return poll.Take(conn)
}

// below returns the descriptor that can be polled for a TLS connection, or -1.
func (s *shard) below(conn net.Conn) (fd int) {
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return -1
	}
	base := poll.Bare(secure.NetConn())
	if !poll.Takes(base) {
		return -1
	}
	s.startPoller()
	if s.poller == nil {
		return -1
	}
	return poll.Descriptor(base)
}

// startPoller runs for the first descriptor; a shard without any has no poller,
// which lets tests run the engine in virtual time.
func (s *shard) startPoller() {
	s.pollOnce.Do(func() {
		poller, err := poll.New(pollBatch)
		if err != nil {
			s.engine.log.Warn("no poller: connections use more memory", "error", err)
			return
		}
		s.poller = poller
		s.engine.workers.Go(s.runPoller)
	})
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
