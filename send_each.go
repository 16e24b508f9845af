package realtime

import (
	"context"
	"fmt"
	"time"

	"boundary-app.org/realtime/bus"
)

// SendToEach sends one message to several addresses, one after the other, and
// returns a receipt for each, in order. A connection that several of them name
// gets the message as often. The message and all addresses are checked first: an
// error that matches ErrInvalidMessage, ErrInvalidTopic or ErrInvalidTarget says
// that nothing was sent. After any other error the receipts are those of the
// first addresses, which it was sent to; it was not sent to the others. It waits
// as Send does.
func (s *Service) SendToEach(ctx context.Context, to []Address, m Message) ([]Receipt, error) {
	receipts, err := s.sendToEach(ctx, to, m, time.Now())
	if err != nil {
		s.metrics.PublishFailures.WithLabelValues(failure(err)).Inc()
		return receipts, fmt.Errorf("realtime: send to each: %w", err)
	}
	return receipts, nil
}

func (s *Service) sendToEach(ctx context.Context, to []Address, m Message, now time.Time) ([]Receipt, error) {
	text, err := s.encode(m, now, Address{})
	if err != nil {
		return nil, err
	}
	for i, a := range to {
		err := a.check()
		if err == nil {
			err = s.checkSize(text, a) // the topic may make it too large
		}
		if err != nil {
			return nil, fmt.Errorf("to[%d]: %w", i, err)
		}
	}
	receipts := make([]Receipt, 0, len(to))
	for i, a := range to {
		start := time.Now()
		receipt, err := s.publish(ctx, bus.Envelope{To: a.onBus(), Body: text})
		if err != nil {
			return receipts, fmt.Errorf("to[%d]: %w", i, err)
		}
		s.countSend(a, start)
		receipts = append(receipts, receipt)
	}
	return receipts, nil
}
