package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"boundary-app.org/realtime/bench/internal/payload"
	"boundary-app.org/realtime/bench/internal/token"
)

// Result is the answer of POST /control/publish.
type Result struct {
	Sent uint64        `json:"sent"`
	Wall time.Duration `json:"wall"` // first publish to last acknowledgement
}

// publisher runs one plan.
type publisher struct {
	target Target
	acks   *acks
	plan   Plan
	start  time.Time
	sent   uint64
}

func publish(ctx context.Context, t Target, a *acks, p Plan) (Result, error) {
	if p.Targets > 0 && sender(t, p) == nil {
		return Result{}, errors.New("control: this server has no such targets")
	}
	a.reset()
	run := &publisher{target: t, acks: a, plan: p, start: time.Now()}
	if err := run.all(ctx); err != nil {
		return Result{}, err
	}
	return Result{Sent: run.sent, Wall: time.Since(run.start)}, nil
}

// sender returns what sends to the targets of a plan.
func sender(t Target, p Plan) func(target string, payload []byte) error {
	if p.Topics {
		return t.PublishToTopic
	}
	return t.SendToUser
}

func (p *publisher) all(ctx context.Context) error {
	for p.left() > 0 {
		room, err := p.room(ctx)
		if err != nil {
			return err
		}
		if p.sent > 0 && time.Since(p.start) >= p.plan.For {
			break
		}
		if err := p.send(min(room, p.left())); err != nil {
			return fmt.Errorf("control: publish message %d: %w", p.sent, err)
		}
	}
	return p.acks.wait(ctx, p.sent)
}

func (p *publisher) left() uint64 { return uint64(p.plan.Messages) - p.sent }

// room waits until the plan allows to publish, and returns how many messages.
func (p *publisher) room(ctx context.Context) (uint64, error) {
	limit := uint64(p.plan.InFlight)
	switch p.plan.Mode {
	case Burst:
		return limit, p.acks.wait(ctx, p.sent)
	case Paced:
		return 1, p.pace(ctx)
	default:
		if p.sent >= limit {
			if err := p.acks.wait(ctx, p.sent-limit+1); err != nil {
				return 0, err
			}
		}
		return limit - (p.sent - p.acks.count.Load()), nil
	}
}

// pace sleeps until the next message is due, by a schedule that does not drift.
func (p *publisher) pace(ctx context.Context) error {
	if p.sent >= MaxInFlight {
		if err := p.acks.wait(ctx, p.sent-MaxInFlight+1); err != nil {
			return err
		}
	}
	due := p.start.Add(time.Duration(float64(p.sent) / p.plan.Rate * float64(time.Second)))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *publisher) send(n uint64) error {
	if p.plan.Targets > 0 {
		return p.sendToTargets(n)
	}
	payloads := make([][]byte, n)
	for i := range payloads {
		payloads[i] = p.next()
	}
	return p.target.Broadcast(payloads)
}

func (p *publisher) sendToTargets(n uint64) error {
	name, send := token.User, sender(p.target, p.plan)
	if p.plan.Topics {
		name = func(i int) string { return token.Topic(token.User(i)) }
	}
	for range n {
		target := name(p.plan.TargetOf(p.sent))
		if err := send(target, p.next()); err != nil {
			return err
		}
	}
	return nil
}

// next builds the next payload, stamped with the time it is asked for.
func (p *publisher) next() []byte {
	b := payload.New(p.sent, time.Now().UnixNano(), p.plan.Size)
	p.sent++
	return b
}
