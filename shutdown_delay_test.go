package realtime_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime"
)

// During DrainDelay the service is not ready and serves everything, new
// connections too. Then it closes them all.
func TestDrainDelay(t *testing.T) {
	const delay = 5 * time.Second
	inVirtualTime(t, realtime.Options{DrainDelay: delay}, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		start := time.Now()
		before := dial(user("u1"))
		ended := make(chan error, 2)
		for range 2 {
			go func() { ended <- svc.Shutdown(context.Background()) }()
		}
		synctest.Wait()
		if svc.Ready() {
			t.Error("it is ready")
		}
		time.Sleep(delay - time.Second) // virtual: the last second of the delay
		late := dial(user("u2"))
		receipt, err := svc.Broadcast(t.Context(), realtime.Message{Type: "x"})
		if err != nil || receipt.Recipients != 2 {
			t.Errorf("a broadcast reaches %d (%v), want 2", receipt.Recipients, err)
		}
		for _, c := range []*raw{before, late} {
			c.wants("x")
			c.wants("$closing")
			c.wantsClose(1012)
			_ = c.Conn.Close()
		}
		for range 2 {
			if err := <-ended; err != nil {
				t.Errorf("shutdown: %v", err)
			}
		}
		wantsAfter(t, start, delay, delay+time.Second)
	})
}

// A deadline shortens the delay as it does the drain window.
func TestDrainDelayBeforeADeadline(t *testing.T) {
	inVirtualTime(t, realtime.Options{DrainDelay: time.Minute, DrainWindow: 30 * time.Second}, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		c, start := dial(user("u1")), time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- svc.Shutdown(ctx) }()
		c.wants("$closing")
		wantsAfter(t, start, 6*time.Second, 6*time.Second)
		c.wantsClose(1012)
		_ = c.Conn.Close()
		if err := <-ended; err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
}

// When ctx ends during the delay, so does the service.
func TestDrainDelayIsCanceled(t *testing.T) {
	inVirtualTime(t, realtime.Options{DrainDelay: time.Hour}, realtime.HandlerOptions{}, func(t *testing.T, svc *realtime.Service, dial func(claims, ...string) *raw) {
		dial(user("u1")) // reads nothing more
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- svc.Shutdown(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("shutdown: %v, want Canceled", err)
		}
		wantsAfter(t, start, 0, time.Second)
	})
}
