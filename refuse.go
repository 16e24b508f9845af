package realtime

import (
	"errors"
	"fmt"
	"log/slog"
)

// Refuse returns an error with which HandlerOptions.OnOpen refuses the connection,
// also when it is wrapped. The client is closed with the code and the reason, at
// most 123 bytes of it, and hears nothing else: no $connected, and nothing that was
// sent to it before. A code of zero is 4507, which tells the client to stop; codes
// from 4000 to 4499 and 1013 ask it to come back. A code that must not be sent (see
// CloseCode.Valid) is logged, and 1011 takes its place.
//
// OnClose runs for the connection as for any other, since OnOpen has run. Connect
// returns an error that matches the one of OnOpen, and a RefusedError. The refusal
// is counted with the reason "application".
func Refuse(code CloseCode, reason string) error {
	setDefault(&code, CloseForbidden)
	return &RefusedError{Code: code, Reason: reason}
}

// RefusedError is the error that Refuse returns.
type RefusedError struct {
	Code   CloseCode
	Reason string
}

// Error returns the code and the reason.
func (e *RefusedError) Error() string {
	if e == nil {
		return "realtime: a RefusedError that is nil"
	}
	return fmt.Sprintf("realtime: the application refuses the connection: %d %s", e.Code, e.Reason)
}

// refusedBy returns the refusal in an error; nil: it is any other error, as a
// RefusedError that is nil is.
func refusedBy(err error) *RefusedError {
	refused, _ := errors.AsType[*RefusedError](err)
	return refused
}

// reasonApplication is the reason of the refusals that OnOpen decides.
const reasonApplication = "application"

// refuseOpened closes a connection that OnOpen has refused with err, and reports the
// refusal: what its client has sent is not handed to the application any more. Of a
// transport's connection the caller of Connect gets the error, and the log nothing.
func (c *Conn) refuseOpened(a attempt, err error, transport bool) {
	s := c.endpoint.service
	refused := refusedBy(err)
	code := refused.Code
	if !code.Valid() {
		s.peers.Of(kindOpen).Error("OnOpen refused a connection with a code that must not be sent; use 4000-4999",
			"connection", c.ID(), "code", int(code))
		code = CloseInternalError
	}
	if transport {
		s.metrics.Refusals.WithLabelValues(reasonApplication).Inc()
	} else {
		s.report(a, refuse(outcome{code: code}, reasonApplication, refused.Reason).because(err.Error()).of(a.identity),
			slog.Int("code", int(code)))
	}
	c.core.CloseNow(uint16(code), refused.Reason)
}
