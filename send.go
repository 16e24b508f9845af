package realtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/wire"
)

// Message is what is sent: a JSON object with a type.
type Message = wire.Message

// ParseMessage takes a message as JSON, validates it once, and carries its
// bytes as they are. The error matches ErrInvalidMessage.
func ParseMessage(data []byte) (Message, error) { return wire.ParseMessage(data) }

// Send sends a message to the connections an address names, on all nodes, and
// tells how many there were: zero is not an error. It does not wait until
// clients have read, but while sockets cannot keep up it waits for them, until
// ctx is done. The error matches ErrInvalidMessage, ErrInvalidTopic or
// ErrInvalidTarget when the call is at fault.
func (s *Service) Send(ctx context.Context, to Address, m Message) (Receipt, error) {
	start := time.Now()
	receipt, err := s.send(ctx, to, m, start)
	if err != nil {
		s.metrics.PublishFailures.WithLabelValues(failure(err)).Inc()
		return Receipt{}, fmt.Errorf("realtime: send to %s: %w", to.route, err)
	}
	s.countSend(to, start)
	return receipt, nil
}

// countSend counts a message that was published.
func (s *Service) countSend(to Address, start time.Time) {
	s.published[to.route].Inc()
	s.metrics.PublishSeconds.Observe(time.Since(start).Seconds())
}

func (s *Service) send(ctx context.Context, to Address, m Message, now time.Time) (Receipt, error) {
	if err := to.check(); err != nil {
		return Receipt{}, err
	}
	text, err := s.encode(m, now, to)
	if err != nil {
		return Receipt{}, err
	}
	return s.publish(ctx, bus.Envelope{To: to.onBus(), Body: text})
}

// encode returns the text of a message, which is within the limit of its size when it
// is delivered to an address.
func (s *Service) encode(m Message, now time.Time, to Address) ([]byte, error) {
	text, err := m.Encode(now)
	if err != nil {
		return nil, err
	}
	return text, s.checkSize(text, to)
}

func (s *Service) checkSize(text []byte, to Address) error {
	size := len(text)
	if to.route == bus.Topic {
		var room [128]byte
		size += len(wire.AppendTail(room[:0], to.target)) - len("}")
	}
	if limit := s.opts.Limits.MessageSize; size > limit {
		return fmt.Errorf("%w: it has %d bytes, the limit is %d: send a reference to the data, or raise Limits.MessageSize",
			ErrTooLarge, size, limit)
	}
	return nil
}

func failure(err error) string {
	switch {
	case errors.Is(err, ErrInvalidMessage), errors.Is(err, ErrInvalidTopic), errors.Is(err, ErrInvalidTarget):
		return "invalid"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "canceled"
	case errors.Is(err, ErrShutdown):
		return "shutdown"
	}
	return "bus"
}

// SendToUser sends to all connections of a user.
func (s *Service) SendToUser(ctx context.Context, user string, m Message) (Receipt, error) {
	return s.Send(ctx, User(user), m)
}

// SendToRole sends to all connections whose user has the role.
func (s *Service) SendToRole(ctx context.Context, role string, m Message) (Receipt, error) {
	return s.Send(ctx, Role(role), m)
}

// SendToConnection sends to one connection. Recipients is 1, or 0 where there
// is no such connection.
func (s *Service) SendToConnection(ctx context.Context, id string, m Message) (Receipt, error) {
	return s.Send(ctx, Connection(id), m)
}

// Broadcast sends to all connections.
func (s *Service) Broadcast(ctx context.Context, m Message) (Receipt, error) {
	return s.Send(ctx, Everyone(), m)
}

// PublishToTopic sends to all connections that are subscribed to a topic, and
// to its listeners. Clients find the topic in the message as "topic".
func (s *Service) PublishToTopic(ctx context.Context, topic string, m Message) (Receipt, error) {
	return s.Send(ctx, Topic(topic), m)
}

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
