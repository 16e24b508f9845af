package realtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
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

	// for the log alone
	detail string          // the cause, without anything of a token
	user   string          // empty: it is not known
	origin *origin.Refusal // nil: it is not about the origin
}

func refuse(reason string, status int, code CloseCode, text string) *refusal {
	return &refusal{reason: reason, answer: &socket.Refusal{Status: status, Text: text}, code: code, detail: text}
}

// How long a refused client waits at the least before it tries again. It is told up
// to twice as long, so that clients that are refused together do not come back
// together.
const (
	retryLimit  = 10 * time.Second // within 35 s a connection that is no longer there is noticed
	retryBusy   = 5 * time.Second
	retryVerify = 5 * time.Second
)

// jitter returns a random time from least to twice as long.
func jitter(least time.Duration) time.Duration { return least + rand.N(least) }

// retryAfter lets the client try again, after a delay.
func (r *refusal) retryAfter(delay time.Duration) *refusal {
	r.retry = delay
	if r.answer.Header == nil {
		r.answer.Header = http.Header{}
	}
	seconds := max(1, (delay+time.Second-1)/time.Second)
	r.answer.Header.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
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

func originRefusal(foreign *origin.Refusal) *refusal {
	why := refuse("origin", http.StatusForbidden, 0, "this origin may not connect").because(foreign.Hint)
	why.origin = foreign
	return why
}

const (
	// headerError is the header field of a refusal's code, beside the text for people.
	headerError = "Realtime-Error"
	// reasonDrain is the code of refusals during a drain, and the reason of $closing
	// on connections that the drain closes.
	reasonDrain = "drain"
)

// limitRefusal returns the refusal for a connection over a limit.
func limitRefusal(err error) *refusal {
	switch {
	case errors.Is(err, engine.ErrUserFull):
		return refuse("user_limit", http.StatusTooManyRequests, wire.CloseConnectionLimit, "too many connections of this user; close one first").
			retryAfter(jitter(retryLimit))
	case errors.Is(err, engine.ErrSourceFull):
		return refuse("address_limit", http.StatusTooManyRequests, wire.CloseConnectionLimit, "too many connections from this address; close one first").
			retryAfter(jitter(retryLimit))
	}
	return refuse("full", http.StatusServiceUnavailable, wire.CloseTryAgain, "this node has as many connections as it may have; try again later").
		retryAfter(jitter(retryBusy))
}

// lateRefusal is the refusal of a client that passed every check and cannot be
// registered any more.
func lateRefusal(err error, subprotocol bool) *refusal {
	if errors.Is(err, engine.ErrFull) { // since it was asked
		return limitRefusal(err)
	}
	return drained(subprotocol)
}

// drainedRequest is the refusal of a request during a drain. Its code is for
// clients of the subprotocol, as that of every request is.
func drainedRequest() *refusal { return drained(true) }

// drained is the refusal of a client that is upgraded when a drain begins.
func drained(subprotocol bool) *refusal {
	return refuse(reasonDrain, http.StatusServiceUnavailable, drainCode(subprotocol), drainReason).
		retryAfter(drainDelay())
}

// refusalOf is the refusal of a token that was not accepted.
func (e *endpoint) refusalOf(err error) *refusal {
	reason := string(auth.ReasonOf(err))
	switch {
	case errors.Is(err, auth.ErrMissingPermissions):
		return refuse(reason, http.StatusForbidden, wire.CloseForbidden, err.Error()).
			because(fmt.Sprintf("the user lacks one of the permissions %q, of which all are required", e.opts.Require.Permissions))
	case errors.Is(err, auth.ErrMissingRole):
		return refuse(reason, http.StatusForbidden, wire.CloseForbidden, err.Error()).
			because(fmt.Sprintf("the user has none of the roles %q, of which one is required", e.opts.Require.Roles))
	case errors.Is(err, ErrRevoked):
		return unauthorized("revoked", "unauthorized: revoked")
	case errors.Is(err, auth.ErrUnauthorized):
		return unauthorized(reason, "unauthorized: "+reason).because(auth.Detail(err))
	case errors.Is(err, wire.ErrInvalidTarget):
		return unauthorized(string(auth.ReasonClaims), "unauthorized: the identity's user id or roles cannot be used")
	case errors.Is(err, auth.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refuse(reason, http.StatusServiceUnavailable, wire.CloseTryAgain, "the token cannot be verified just now; try again").
			because(auth.Detail(err)).retryAfter(verifyDelay(err))
	}
	e.service.peers.Of(kindVerifier).Error("a token could not be verified", "error", err)
	return refuse("internal", http.StatusInternalServerError, wire.CloseInternalError, "internal error")
}

// verifyDelay returns when a token may be verified that cannot be just now.
func verifyDelay(err error) time.Duration {
	if known, ok := errors.AsType[*auth.UnavailableError](err); ok && known.RetryAfter > 0 {
		return known.RetryAfter + rand.N(time.Second)
	}
	return jitter(retryVerify)
}

// unauthorized is a refusal with the challenge that a 401 must have (RFC 9110
// section 15.5.2, RFC 6750 section 3).
func unauthorized(reason, text string) *refusal {
	why := refuse(reason, http.StatusUnauthorized, wire.CloseBadToken, text)
	why.answer.Header = http.Header{"Www-Authenticate": {`Bearer error="invalid_token"`}}
	return why
}

// refuse answers a request that does not become a connection. To upgrade and close
// at once is the only way to tell a browser why.
func (e *endpoint) refuse(w http.ResponseWriter, a attempt, why *refusal) {
	if a.handshake.Protocol != "" && why.code != 0 {
		if conn, _, ok := e.hijack(w); ok {
			e.reject(conn, a, a.handshake.AppendResponse(nil), why)
			return
		}
	}
	e.service.report(a, why, slog.Int("status", why.answer.Status))
	w.Header().Set(headerError, why.reason)
	why.answer.ServeHTTP(w, nil)
}

// reject closes an upgraded client that is refused, behind prelude.
func (e *endpoint) reject(conn net.Conn, a attempt, prelude []byte, why *refusal) {
	e.service.report(a, why, slog.Int("code", int(why.code)))
	e.writeFinal(conn, why.appendTo(prelude))
}

// finalTime bounds how long a refused client is written to, and read from.
const finalTime = time.Second

// writeFinal writes data, half-closes and closes conn. What the client has not taken
// by then, also of answers before the upgrade, the kernel does not keep for long.
func (e *endpoint) writeFinal(conn net.Conn, data []byte) {
	defer engine.CloseConn(conn)
	_ = conn.SetDeadline(time.Now().Add(finalTime))
	if _, err := conn.Write(data); err != nil {
		e.service.peers.Of(kindUnsent).Debug("a refusal could not be sent", "error", err)
		return
	}
	waitForEnd(conn)
}

// waitForEnd half-closes conn and reads what a client still sends, a little at
// the most, so that closing does not reset the connection under the close frame.
func waitForEnd(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = conn.SetReadDeadline(time.Now().Add(finalTime))
	var scratch [512]byte
	for range 16 {
		if _, err := conn.Read(scratch[:]); err != nil {
			return
		}
	}
}
