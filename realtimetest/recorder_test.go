package realtimetest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/realtimetest"
)

func TestRecorderParsesWhatWasSent(t *testing.T) {
	t.Parallel()
	var r realtimetest.Recorder
	for _, text := range []string{
		`{"type":"$connected","connectionId":"c1"}`,
		`{"type":"a","payload":{"n":1},"timestamp":"2026-01-02T03:04:05.678Z","topic":"order:1"}`,
		`not JSON at all`,
	} {
		if err := r.Send([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(r.Frames()); got != 3 {
		t.Errorf("%d frames, want 3", got)
	}
	messages := r.Messages()
	if len(messages) != 2 {
		t.Fatalf("messages = %v, want the two that are not the service's own", messages)
	}
	m := messages[0]
	if m.Type != "a" || m.Topic != "order:1" || string(m.Payload) != `{"n":1}` || m.Timestamp.UnixMilli() != 1767323045678 {
		t.Errorf("message = %+v", m)
	}
	if got := string(messages[1].Text); got != "not JSON at all" {
		t.Errorf("text = %q", got)
	}
}

func TestRecorderKeepsItsOwnCopy(t *testing.T) {
	t.Parallel()
	var r realtimetest.Recorder
	text := []byte(`{"type":"a"}`)
	_ = r.Send(text)
	clear(text)
	if got := string(r.Frames()[0].Text); got != `{"type":"a"}` {
		t.Errorf("text = %q", got)
	}
}

func TestRecorderClosesOnce(t *testing.T) {
	t.Parallel()
	var r realtimetest.Recorder
	if _, _, ok := r.Closed(); ok {
		t.Error("a new recorder is closed")
	}
	_ = r.Close(4503, "kicked")
	_ = r.Close(1000, "again")
	if code, reason, ok := r.Closed(); code != 4503 || reason != "kicked" || !ok {
		t.Errorf("closed = %d %q %v, want the first close", code, reason, ok)
	}
	if err := r.Send([]byte(`{}`)); !errors.Is(err, realtime.ErrClosed) {
		t.Errorf("send after close: %v, want ErrClosed", err)
	}
}

func TestRecorderWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r realtimetest.Recorder
		waited := make(chan int, 1)
		go func() {
			messages, err := r.Wait(t.Context(), 2)
			if err != nil {
				t.Error(err)
			}
			waited <- len(messages)
		}()
		_ = r.Send([]byte(`{"type":"a"}`))
		_ = r.Send([]byte(`{"type":"$reply","ok":true}`))
		synctest.Wait()
		select {
		case n := <-waited:
			t.Fatalf("Wait returned with %d messages", n)
		default:
		}
		_ = r.Send([]byte(`{"type":"b"}`))
		if n := <-waited; n != 2 {
			t.Errorf("Wait returned %d messages, want 2", n)
		}
	})
}

func TestRecorderWaitEnds(t *testing.T) {
	t.Parallel()
	var r realtimetest.Recorder
	_ = r.Send([]byte(`{"type":"a"}`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	messages, err := r.Wait(ctx, 2)
	if !errors.Is(err, context.Canceled) || len(messages) != 1 {
		t.Errorf("Wait = %v, %v; want the one message and context.Canceled", messages, err)
	}
	_ = r.Close(1000, "")
	if _, err := r.Wait(t.Context(), 2); !errors.Is(err, realtime.ErrClosed) {
		t.Errorf("Wait after the close: %v, want ErrClosed", err)
	}
	if _, err := r.Wait(t.Context(), 1); err != nil {
		t.Errorf("Wait for what has come: %v", err)
	}
}

func TestRecorderIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	var r realtimetest.Recorder
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				_ = r.Send([]byte(`{"type":"a"}`))
			}
		})
		wg.Go(func() {
			if _, err := r.Wait(t.Context(), 400); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
