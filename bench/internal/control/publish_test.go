package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"boundary-app.org/realtime/bench/internal/payload"
)

// arrival acknowledges everything that was sent, after a while.
func arrival(a *acks, n uint64, after time.Duration) {
	time.AfterFunc(after, func() {
		a.count.Store(n)
		select {
		case a.grown <- struct{}{}:
		default:
		}
	})
}

func TestModes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		plan    Plan
		batches []int         // sizes of the calls of Broadcast
		wall    time.Duration // messages take 1 s to arrive
	}{
		"one in flight": {Plan{Mode: Window, InFlight: 1, Messages: 3}, []int{1, 1, 1}, 3 * time.Second},
		"window":        {Plan{Mode: Window, InFlight: 4, Messages: 10}, []int{4, 4, 2}, 3 * time.Second},
		"burst":         {Plan{Mode: Burst, InFlight: 64, Messages: 100}, []int{64, 36}, 2 * time.Second},
		"paced":         {Plan{Mode: Paced, InFlight: 1, Messages: 5, Rate: 2}, []int{1, 1, 1, 1, 1}, 3 * time.Second},
		"time is up":    {Plan{Mode: Burst, InFlight: 8, Messages: 100, For: 1500 * time.Millisecond}, []int{8, 8}, 2 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if tt.plan.For == 0 {
					tt.plan.For = time.Minute
				}
				var batches []int
				var sent uint64
				a := newAcks()
				target := Target{Broadcast: func(payloads [][]byte) error {
					for _, p := range payloads {
						seq, at, err := payload.Decode(payload.Stamp(p))
						if err != nil || seq != sent || at != time.Now().UnixNano() {
							return fmt.Errorf("message %d of %d: %w", seq, sent, err)
						}
						sent++
					}
					batches = append(batches, len(payloads))
					arrival(a, sent, time.Second)
					return nil
				}}
				got, err := publish(t.Context(), target, a, tt.plan)
				if want := (Result{Sent: sent, Wall: tt.wall}); err != nil || got != want {
					t.Errorf("got %+v, error %v; want %+v", got, err, want)
				}
				if !slices.Equal(batches, tt.batches) {
					t.Errorf("batches %v, want %v", batches, tt.batches)
				}
			})
		})
	}
}

func TestSendsToUsersInTurn(t *testing.T) {
	t.Parallel()
	var users []string
	a := newAcks()
	target := Target{SendToUser: func(user string, _ []byte) error {
		users = append(users, user)
		arrival(a, uint64(len(users)), 0)
		return nil
	}}
	p := Plan{Mode: Window, InFlight: 1, Messages: 3, For: time.Minute, Size: 64, Targets: 2, Among: 10}
	if _, err := publish(t.Context(), target, a, p); err != nil {
		t.Fatal(err)
	}
	if want := []string{"u0", "u5", "u0"}; !slices.Equal(users, want) {
		t.Errorf("users %q, want %q", users, want)
	}
}

func TestPublishFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	plan := Plan{Mode: Window, InFlight: 1, Messages: 2, For: time.Minute, Size: 64}
	t.Run("target", func(t *testing.T) {
		t.Parallel()
		target := Target{Broadcast: func([][]byte) error { return broken }}
		if _, err := publish(t.Context(), target, newAcks(), plan); !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("lost", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			target := Target{Broadcast: func([][]byte) error { return nil }}
			_, err := publish(t.Context(), target, newAcks(), plan)
			if !errors.Is(err, errStalled) || !strings.Contains(err.Error(), "0 of 1 messages") {
				t.Errorf("error %v", err)
			}
		})
	})
	t.Run("canceled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		target := Target{Broadcast: func([][]byte) error { cancel(); return nil }}
		if _, err := publish(ctx, target, newAcks(), plan); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no users", func(t *testing.T) {
		t.Parallel()
		p := plan
		p.Targets, p.Among = 1, 1
		if _, err := publish(t.Context(), Target{}, newAcks(), p); err == nil {
			t.Error("sent to a user of a server that has none")
		}
	})
}
