package realtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/revocation"
	"boundary-app.org/realtime/wire"
)

// Receipt is the result of a send, or of another operation on an address.
type Receipt struct {
	// Recipients is the number of connections, and of listeners of a topic, that
	// were reached on all nodes. Where Missing is not empty there may be more.
	Recipients int
	// Nodes is the number of nodes that replied.
	Nodes int
	// Missing are the nodes that did not reply within a quarter of a second. The
	// operation may reach them late, or not at all.
	Missing []bus.NodeID
}

// publish hands an envelope to the bus as soon as the sockets of this node keep up.
func (s *Service) publish(ctx context.Context, e bus.Envelope) (Receipt, error) {
	if err := s.engine.Admit(ctx); err != nil {
		return Receipt{}, err
	}
	receipt, err := s.publishEnvelope(ctx, e)
	return receiptOf(receipt), err
}

func receiptOf(r bus.Receipt) Receipt { return Receipt{r.Recipients, r.Nodes, r.Missing} }

// publishEnvelope hands an envelope to the bus.
func (s *Service) publishEnvelope(ctx context.Context, e bus.Envelope) (bus.Receipt, error) {
	receipt, err := s.node.Publish(ctx, e)
	if errors.Is(err, bus.ErrClosed) {
		return receipt, ErrShutdown
	}
	return receipt, err
}

// localNode is the service as its bus sees it.
type localNode struct{ *Service }

// Deliver carries out an envelope on this node's connections. Every envelope
// reaches them here, those of this node too.
func (n localNode) Deliver(e bus.Envelope) bus.Reply {
	if e.Op == bus.Send {
		return bus.Reply{Recipients: n.send(e.To, e.Body)}
	}
	if e.Op == bus.Revoke {
		return n.deliverRevocation(e)
	}
	do := n.operation(e)
	if do == nil {
		n.log.Warn("an envelope asks for an unknown operation; are all nodes of the same version?", "op", e.Op)
		return bus.Reply{}
	}
	var reply bus.Reply
	for _, c := range n.engine.Members(e.To.Route, e.To.Target) {
		if do(c) {
			reply.Recipients++
		}
	}
	return reply
}

// send writes a message to the connections, and listeners, of an address.
func (n localNode) send(to bus.Address, text []byte) (reached int) {
	if to.Route != bus.Topic {
		return n.engine.Send(to.Route, to.Target, text)
	}
	var room [128]byte
	tail := wire.AppendTail(room[:0], to.Target)
	reached = n.engine.Send(to.Route, to.Target, bytes.TrimSuffix(text, []byte("}")), tail...)
	return reached + n.listeners.deliver(to.Target, text)
}

// operation returns what an envelope does to one connection, nil where it is not
// known. The function reports whether the connection counts as a recipient.
func (s *Service) operation(e bus.Envelope) func(*engine.Conn) bool {
	switch e.Op {
	case bus.Disconnect:
		return disconnectOperation(e.Body)
	case bus.Subscribe:
		return func(c *engine.Conn) bool {
			_, err := c.Subscribe(string(e.Body), s.Limits().Topics)
			return err == nil
		}
	case bus.Unsubscribe:
		return unsubscribeOperation(string(e.Body))
	}
	return nil
}

// closing is the body of a Disconnect envelope.
type closing struct {
	Code   CloseCode `json:"code"`
	Reason string    `json:"reason"`
}

func disconnectOperation(body []byte) func(*engine.Conn) bool {
	with := closing{Code: CloseKicked}
	_ = json.Unmarshal(body, &with) // encoded by Service.Disconnect; anything else gets the default
	return func(c *engine.Conn) bool { return c.Close(uint16(with.Code), with.Reason) }
}

func unsubscribeOperation(topic string) func(*engine.Conn) bool {
	return func(c *engine.Conn) bool {
		if topic == "" {
			c.UnsubscribeAll()
		} else {
			c.Unsubscribe(topic)
		}
		return !c.Ended()
	}
}

// question is what one node asks others: one of its fields is set.
type question struct {
	Revocation *revocation.Command `json:"revocation,omitempty"` // what do you know of its tokens?
}

// Answer returns nil for a question of another version.
func (n localNode) Answer(_ context.Context, body []byte) []byte {
	var q question
	if err := json.Unmarshal(body, &q); err != nil || q.Revocation == nil {
		return nil
	}
	return n.answerTokens(*q.Revocation).Encode()
}

// MembersChanged logs which nodes come and go.
func (n localNode) MembersChanged(joined, left []bus.NodeID) {
	n.log.Info("the nodes of the cluster have changed", "joined", joined, "left", left)
}

// interest tells the bus which addresses have connections on this node.
type interest struct{ *Service }

// Added is called for the first connection of an address.
func (i interest) Added(route bus.Route, name string) {
	if route != bus.Everyone && route != bus.Connection {
		i.node.Want(bus.Address{Route: route, Target: name})
	}
}

// Removed is called when the last connection of an address has left it.
func (i interest) Removed(route bus.Route, name string) {
	if route != bus.Everyone && route != bus.Connection {
		i.node.Drop(bus.Address{Route: route, Target: name})
	}
}

// known waits until the other nodes know which addresses have connections here:
// from its return on, what they publish reaches those connections. Nodes that do
// not answer are waited for no longer than for a reply.
func (s *Service) known() { _ = s.node.Known(s.life.callbacks) } // it fails for a service that ends
