package realtime

import (
	"strconv"
	"time"

	"boundary-app.org/realtime/wire"
)

// reportClose logs the end of a connection: at info, at a limited rate, when the
// server has closed it for what its client did, and otherwise at debug. The reason
// is left out where the client chose it.
func (s *Service) reportClose(c *Conn, code CloseCode, reason string) {
	attrs := []any{"connection", c.ID(), "user", c.UserID(), "code", int(code)}
	byClient := c.core.EndedByPeer()
	if !byClient {
		attrs = append(attrs, "reason", reason)
	}
	attrs = append(attrs, "duration", time.Since(c.CreatedAt()).Round(time.Millisecond))
	if !byClient && isOffence(code) {
		s.peers.Of("close "+strconv.Itoa(int(code))).Info("a connection was closed for what its client did", attrs...)
		return
	}
	s.log.Debug("connection closed", attrs...)
}

// isOffence reports whether a code says that the client broke a limit or the
// protocol. 4012 does not: clients that vanish are an ordinary sight.
func isOffence(code CloseCode) bool {
	switch code {
	case wire.CloseProtocolError, wire.CloseInvalidData, wire.CloseTooBig,
		wire.CloseTooSlow, wire.CloseTooManyRequests, wire.CloseTopicLimit:
		return true
	}
	return false
}
