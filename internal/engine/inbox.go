package engine

import (
	"context"
	"sync"
	"sync/atomic"
)

// task is one thing for a loop to do: run, or where that is nil, write msg to
// the members of list.
type task struct {
	run  func(*shard, *task)
	conn *Conn
	list *list
	msg  *message
	arg  any
}

const (
	// taskCost is what a message in an inbox costs besides its frame.
	taskCost = 256
	// tasksKept is how many tasks an inbox keeps room for.
	tasksKept = 4096
)

// inbox is how other goroutines reach a loop.
type inbox struct {
	mu     sync.Mutex
	tasks  []task        // guarded by mu
	relief chan struct{} // guarded by mu; closed when load has fallen
	wake   chan struct{}
	load   atomic.Int64 // bytes posted and not yet written
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

// unload notes that messages of so many bytes have been dealt with.
func (s *shard) unload(size, messages int) {
	in := &s.inbox
	size += messages * taskCost
	after := in.load.Add(-int64(size))
	limit := int64(s.engine.cfg.MaxInbox)
	if after > limit || after+int64(size) <= limit {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.relief != nil {
		close(in.relief)
		in.relief = nil
	}
}
