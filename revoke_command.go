package realtime

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/revocation"
	"boundary-app.org/realtime/wire"
)

// revokeCommand returns the command of a revocation. That of a connection has no
// keys yet: the node of the connection knows its tokens.
func (s *Service) revokeCommand(r Revocation, now time.Time) revocation.Command {
	cmd := revocation.Command{At: now.UnixMilli(), User: r.User, Reason: r.Reason}
	setDefault(&cmd.Reason, defaultRevoked)
	switch {
	case r.User != "":
		cmd.Keys = []revocation.Key{{Kind: revocation.User, Value: r.User}}
	case r.TokenID != "":
		cmd.Keys = []revocation.Key{{Kind: revocation.TokenID, Value: r.TokenID}}
	}
	until := s.revoked.DefaultUntil(revocation.Tokens{}, now)
	if !r.Until.IsZero() {
		until = s.revoked.ExpiresAfter(r.Until)
	}
	cmd.Until = until.UnixMilli()
	return cmd
}

// closeConnection closes a connection on its node, and returns its tokens. The node
// closes it before it looks at its tokens, so that no refresh adds one afterwards.
func (s *Service) closeConnection(ctx context.Context, id string, cmd revocation.Command) (revocation.Tokens, error) {
	receipt, err := s.announce(ctx, Connection(id), cmd)
	switch {
	case err != nil:
		return revocation.Tokens{}, err
	case len(receipt.Missing) > 0:
		return revocation.Tokens{}, ErrNoReply
	case receipt.Recipients == 0:
		return revocation.Tokens{}, ErrNoConnection
	}
	return revocation.ParseTokens(receipt.Replies[bus.NodeOf(id)])
}

// announce publishes a command.
func (s *Service) announce(ctx context.Context, to Address, cmd revocation.Command) (bus.Receipt, error) {
	return s.publishEnvelope(ctx, bus.Envelope{To: to.onBus(), Op: bus.Revoke, Body: cmd.Encode()})
}

// askTokens asks all nodes how long the tokens of a command live.
func (s *Service) askTokens(ctx context.Context, cmd revocation.Command) (known revocation.Tokens, missing []bus.NodeID) {
	ctx, cancel := context.WithTimeout(ctx, bus.ReplyTime)
	defer cancel()
	body, _ := json.Marshal(question{Revocation: &cmd}) // texts and numbers always encode
	answers, missing := s.node.Ask(ctx, Everyone().onBus(), body)
	for node, answer := range answers {
		tokens, err := revocation.ParseTokens(answer)
		if err != nil {
			s.log.Warn("a node does not say how long tokens live; are all nodes of the same version?", "node", node, "error", err)
			continue
		}
		known.Extend(tokens)
	}
	return known, missing
}

// answerTokens returns what this node knows of the tokens of a command.
func (s *Service) answerTokens(cmd revocation.Command) revocation.Tokens {
	known := revocation.Tokens{Lifetime: s.revoked.Lifetime()}
	s.eachRevoked(cmd, func(c *Conn) { known.Expires = revocation.Later(known.Expires, c.lastExpiry()) })
	return known
}

// deliverRevocation carries out a command on this node.
func (s *Service) deliverRevocation(e bus.Envelope) bus.Reply {
	cmd, err := revocation.ParseCommand(e.Body)
	switch {
	case err != nil:
		s.log.Warn("a revocation cannot be read; are all nodes of the same version?", "error", err)
		return bus.Reply{}
	case e.To.Route == bus.Connection:
		return s.deliverToConnection(e.To.Target, cmd)
	}
	return bus.Reply{Recipients: s.apply(cmd, time.Now())}
}

func (s *Service) deliverToConnection(id string, cmd revocation.Command) bus.Reply {
	c := s.Connection(id)
	if c == nil {
		return bus.Reply{}
	}
	c.expel(cmd.Reason)
	tokens := revocation.Tokens{User: c.UserID(), Expires: c.lastExpiry()}
	for _, t := range c.tokens() {
		tokens.Keys = append(tokens.Keys, t.Key)
	}
	cmd.Keys, cmd.User = tokens.Keys, tokens.User
	s.remember(cmd, time.Now())                            // the reply may be lost
	return bus.Reply{Recipients: 1, Body: tokens.Encode()} // it counts where it was just ending, too
}

// apply adds a command to the list, then closes the connections that it names, and
// returns their number. A connection registers first and looks at the list then, so
// that none is missed.
func (s *Service) apply(cmd revocation.Command, now time.Time) (closed int) {
	s.remember(cmd, now)
	s.eachRevoked(cmd, func(c *Conn) {
		if c.expel(cmd.Reason) {
			closed++
		}
	})
	return closed
}

// remember adds a command to the list of this node, and logs what finds no room.
func (s *Service) remember(cmd revocation.Command, now time.Time) {
	if err := s.revoked.Apply(cmd, now); err != nil {
		s.log.Error("a revoked token can come back to this node; give tokens a shorter life, or revoke less", "error", err)
	}
}

// eachRevoked calls do with each connection whose token a command names.
func (s *Service) eachRevoked(cmd revocation.Command, do func(*Conn)) {
	look := func(core *engine.Conn) bool {
		if c := owner(core); cmd.Names(c.packed().token()) {
			do(c)
		}
		return true
	}
	if cmd.User == "" {
		s.engine.All(look)
		return
	}
	for _, c := range s.engine.Members(bus.User, cmd.User) {
		look(c)
	}
}

// expel closes a connection whose token was revoked. What its client has sent and
// still waits for OnMessage is dropped.
func (c *Conn) expel(reason string) bool { return c.core.CloseNow(uint16(wire.CloseKicked), reason) }

// union returns the nodes of both lists, sorted.
func union(a, b []bus.NodeID) []bus.NodeID {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
