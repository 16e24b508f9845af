package realtime

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/origin"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// refusal is why and how a client is refused.
type refusal struct {
	reason string          // the stable code: of the header Realtime-Error, the metric, the log and $closing
	answer *socket.Refusal // to a request; its text goes with a close code, too
	code   CloseCode       // for clients that are upgraded; 0: they get the answer
	retry  time.Duration   // after which the client may try again; 0: trying again is of no use
	cause  error           // for callers of Connect

	// for the log alone
	detail string          // the cause, without anything of a token
	user   string          // empty: it is not known
	origin *origin.Refusal // nil: it is not about the origin
}

// outcome is what a refused client gets: the status when it asks by a request, the
// close code when it is upgraded; of no code, it gets the status then, too. Retry is
// the least time before it tries again, zero where trying again is of no use.
type outcome struct {
	status int
	code   CloseCode
	retry  time.Duration
}

// The outcomes of refusals.
var (
	foreignOrigin = outcome{http.StatusForbidden, 0, 0}
	badRequest    = outcome{http.StatusBadRequest, CloseBadRequest, 0}
	unauthorized  = outcome{http.StatusUnauthorized, CloseBadToken, 0}
	forbidden     = outcome{http.StatusForbidden, CloseForbidden, 0}
	overLimit     = outcome{http.StatusTooManyRequests, CloseConnectionLimit, retryLimit}
	busy          = outcome{http.StatusServiceUnavailable, CloseTryAgain, retryBusy}
	internalError = outcome{http.StatusInternalServerError, CloseInternalError, 0}
)

// How long a refused client waits at the least before it tries again. It is told up
// to twice as long, so that clients that are refused together do not come back
// together.
const (
	retryLimit = 10 * time.Second // within 35 s a connection that is no longer there is noticed
	retryBusy  = 5 * time.Second
)

// refuse returns a refusal. Reason is its code; the set is small and fixed.
func refuse(o outcome, reason, text string) *refusal {
	r := &refusal{reason: reason, answer: &socket.Refusal{Status: o.status, Text: text}, code: o.code, detail: text}
	switch {
	case o.retry > 0:
		r.retryAfter(o.retry + rand.N(o.retry))
	case o.status == http.StatusUnauthorized: // needs a challenge: RFC 9110 section 15.5.2, RFC 6750 section 3
		r.answer.Header = http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}}
	}
	return r
}

// retryAfter lets the client try again, after a delay.
func (r *refusal) retryAfter(delay time.Duration) *refusal {
	r.retry = delay
	seconds := max(1, (delay+time.Second-1)/time.Second)
	r.answer.Header = http.Header{"Retry-After": {strconv.FormatInt(int64(seconds), 10)}}
	return r
}

// appendTo appends the frames that tell an upgraded client: $closing where it may
// try again, and the close frame.
func (r *refusal) appendTo(frames []byte) []byte {
	if r.retry > 0 {
		closing := wire.Closing{Reason: r.reason, ReconnectAfter: r.retry}.Encode()
		frames = socket.AppendFrame(frames, socket.OpText, closing)
	}
	return socket.AppendClose(frames, uint16(r.code), r.answer.Text)
}

// because gives the log a more precise cause than the client is told.
func (r *refusal) because(detail string) *refusal {
	r.detail = detail
	return r
}

// of says whose connection is refused.
func (r *refusal) of(id *Identity) *refusal {
	r.user = id.UserID
	return r
}

// from keeps the error that the refusal was made of.
func (r *refusal) from(err error) *refusal {
	r.cause = err
	return r
}

func originRefusal(foreign *origin.Refusal) *refusal {
	r := refuse(foreignOrigin, "origin", "this origin may not connect").because(foreign.Hint)
	r.origin = foreign
	return r
}

// limitRefusal returns the refusal for a connection over a limit.
func limitRefusal(err error) *refusal {
	switch {
	case errors.Is(err, engine.ErrUserFull):
		return refuse(overLimit, "user_limit", "too many connections of this user; close one first").from(err)
	case errors.Is(err, engine.ErrSourceFull):
		return refuse(overLimit, "address_limit", "too many connections from this address; close one first").from(err)
	}
	return refuse(busy, "full", "this node has as many connections as it may have; try again later").from(err)
}

// Errors of pendingLimiter. Clients are told their texts.
var (
	errPendingFull        = errors.New("too many clients have yet to send their token; try again")
	errPendingAddressFull = errors.New("too many clients from this address have yet to send their token; try again")
)

// registerRefusal returns the refusal of a client that passed the checks and could not
// be registered: a limit is reached, since they were made, or a drain has begun.
func registerRefusal(err error, subprotocol bool) *refusal {
	switch {
	case errors.Is(err, ErrTooManyConnections):
		return limitRefusal(err)
	case errors.Is(err, errPendingFull), errors.Is(err, errPendingAddressFull):
		return refuse(busy, "unauthenticated_limit", err.Error())
	}
	return drainRefusal(subprotocol)
}

const (
	// headerError is the header field of a refusal's code, beside the text for people.
	headerError = "Realtime-Error"
	// reasonDrain is the code of refusals during a drain, and the reason of $closing
	// on connections that the drain closes.
	reasonDrain = "drain"
	// reasonApplication is the code of the refusals that OnOpen decides.
	reasonApplication = "application"
	// reasonInternal is the code of what an operator has to look at.
	reasonInternal = "internal"
)

// drainRefusal returns the refusal of a client during a drain.
func drainRefusal(subprotocol bool) *refusal {
	return refuse(outcome{http.StatusServiceUnavailable, drainCode(subprotocol), 0}, reasonDrain, drainReason).
		retryAfter(drainDelay()).from(ErrShutdown)
}

// drainReason is the reason in the close frame of a drain.
const drainReason = "the server is shutting down; reconnect"

// drainDelay returns when a client should come back: each after a delay of its own.
func drainDelay() time.Duration { return max(time.Millisecond, rand.N(time.Second)) }

// drainCode returns the close code of a drain. Clients without the subprotocol
// get the code of RFC 6455 that means a restart: some libraries reconnect after
// it, and take 1001 for a page that the user has left.
func drainCode(subprotocol bool) CloseCode {
	if subprotocol {
		return CloseDrain
	}
	return CloseServiceRestart
}

// tokenRefusal returns the refusal of a token that was not accepted, or whose identity
// lacks a right of those required.
func tokenRefusal(err error, require auth.Requirements) *refusal {
	reason := string(auth.ReasonOf(err))
	var r *refusal
	switch {
	case errors.Is(err, auth.ErrMissingPermissions):
		r = refuse(forbidden, reason, err.Error()).
			because(fmt.Sprintf("the user lacks one of the permissions %q, of which all are required", require.Permissions))
	case errors.Is(err, auth.ErrMissingRole):
		r = refuse(forbidden, reason, err.Error()).
			because(fmt.Sprintf("the user has none of the roles %q, of which one is required", require.Roles))
	case errors.Is(err, ErrRevoked):
		r = refuse(unauthorized, "revoked", "unauthorized: revoked")
	case errors.Is(err, ErrUnauthorized):
		r = refuse(unauthorized, reason, "unauthorized: "+reason).because(auth.Detail(err))
	case errors.Is(err, wire.ErrInvalidTarget):
		r = refuse(unauthorized, string(auth.ReasonClaims), "unauthorized: the identity's user id or roles cannot be used")
	case errors.Is(err, auth.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		r = unavailable(err, reason)
	default:
		r = refuse(internalError, reasonInternal, "internal error")
	}
	return r.from(err)
}

// unavailable returns the refusal of a token that cannot be verified just now.
func unavailable(err error, reason string) *refusal {
	r := refuse(busy, reason, "the token cannot be verified just now; try again").because(auth.Detail(err))
	if known, ok := errors.AsType[*auth.UnavailableError](err); ok && known != nil && known.RetryAfter > 0 {
		r.retryAfter(known.RetryAfter + rand.N(time.Second))
	}
	return r
}
