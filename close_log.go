package realtime

import (
	"log/slog"
	"strconv"
	"time"
)

// reportClose logs the end of a connection: at debug or, when the server has closed
// it for what its client did, at info with the user and the reason, at a limited
// rate. Any other end says neither: a reason may come from the client, and who was
// revoked is not for the log.
func (s *Service) reportClose(c *Conn, code CloseCode, reason string) {
	lived := slog.Duration("duration", time.Since(c.CreatedAt()).Round(time.Millisecond))
	if c.core.EndedByPeer() || !isOffence(code) {
		s.log.Debug("connection closed", "connection", c.ID(), "code", int(code), lived)
		return
	}
	s.peers.Of("close "+strconv.Itoa(int(code))).Info("a connection was closed for what its client did",
		"connection", c.ID(), "user", c.UserID(), "code", int(code), "reason", reason, lived)
}

// isOffence reports whether a code says that the client broke a limit or the
// protocol. 4012 does not: clients that vanish are an ordinary sight.
func isOffence(code CloseCode) bool {
	switch code {
	case CloseProtocolError, CloseInvalidData, CloseTooBig,
		CloseTooSlow, CloseTooManyRequests, CloseTopicLimit:
		return true
	}
	return false
}
