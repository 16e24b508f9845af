package realtime

import (
	"context"
	"errors"
	"sync"
	"time"
)

// tellTime is how long the bus may take to pass on which token was revoked.
const tellTime = 10 * time.Second

// tellings are the goroutines that make known to all nodes what delivery has found
// out: delivery itself must not publish. Shutdown waits for them while the service
// still is on the bus.
type tellings struct {
	mu      sync.Mutex
	ended   bool // guarded by mu
	running sync.WaitGroup
}

var errLeaving = errors.New("this node is leaving the bus")

// begin runs a telling, unless it is too late for one.
func (t *tellings) begin(run func()) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return errLeaving
	}
	t.running.Go(run)
	return nil
}

// end lets no more tellings begin and waits for those that run, until ctx is done
// at the latest.
func (t *tellings) end(ctx context.Context) {
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
	told := make(chan struct{})
	go func() {
		t.running.Wait()
		close(told)
	}()
	select {
	case <-told:
	case <-ctx.Done():
	}
}

// tell makes an order known to all nodes.
func (s *Service) tell(o revocationOrder) {
	err := s.telling.begin(func() {
		ctx, cancel := context.WithTimeout(s.life.cleanup, tellTime)
		defer cancel()
		_, err := s.publishEnvelope(ctx, o.envelope(Everyone()))
		s.logUntold(err)
	})
	s.logUntold(err)
}

func (s *Service) logUntold(err error) {
	if err != nil {
		s.log.Error("other nodes do not know of a revoked token; revoke it again by its id or user", "error", err)
	}
}
