package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Reason is the stable code of a refusal, fit for a metric label: the set is small and
// fixed. docs/errors.md describes each one.
type Reason string

// The reasons for which a token is refused.
const (
	ReasonMissing     Reason = "missing"       // the token is empty
	ReasonTooLarge    Reason = "too_large"     // longer than MaxTokenSize
	ReasonMalformed   Reason = "malformed"     // not a JWT in compact form
	ReasonAlgorithm   Reason = "algorithm"     // not the algorithm of the key
	ReasonKey         Reason = "key"           // the kid is that of no known key
	ReasonSignature   Reason = "signature"     // the signature does not verify
	ReasonExpired     Reason = "expired"       // exp is past
	ReasonNotYetValid Reason = "not_yet_valid" // nbf or iat is in the future
	ReasonIssuer      Reason = "issuer"        // iss is not the configured issuer
	ReasonAudience    Reason = "audience"      // aud does not hold the configured audience
	ReasonSubject     Reason = "subject"       // no usable user id
	ReasonClaims      Reason = "claims"        // another claim is missing or of the wrong shape

	ReasonClaimExp Reason = "claims_exp" // exp is missing, or no date
	ReasonClaimIat Reason = "claims_iat" // iat is no date
	ReasonClaimNbf Reason = "claims_nbf" // nbf is no date
	ReasonClaimJti Reason = "claims_jti" // jti is no name
)

// The results of ReasonOf for errors that are not an Error.
const (
	ReasonPermissions    Reason = "permissions"     // ErrMissingPermissions
	ReasonRole           Reason = "role"            // ErrMissingRole
	ReasonTwoCredentials Reason = "two_credentials" // ErrTwoCredentials
	ReasonInvalidQuery   Reason = "invalid_query"   // ErrInvalidQuery
	ReasonUnavailable    Reason = "unavailable"     // ErrUnavailable
	ReasonCanceled       Reason = "canceled"        // the context ended first
	ReasonOther          Reason = "other"           // anything else
)

var (
	// ErrUnauthorized matches every refusal of a token.
	ErrUnauthorized = errors.New("auth: unauthorized")
	// ErrUnavailable matches an undecided verification: the key of the token is unknown,
	// and the key set could not be fetched, or not again so soon. The token may be good;
	// the client should try again. UnavailableError.RetryAfter may say when.
	ErrUnavailable = errors.New("auth: the key of the token is not available now")
	// ErrTwoCredentials reports a request with more than one token.
	ErrTwoCredentials = errors.New("more than one credential: send the token once, " +
		"as query parameter, as Authorization header or as subprotocol entry")
	// ErrInvalidQuery reports a query, which may carry the token, that cannot be read.
	ErrInvalidQuery = errors.New("the query is not URL-encoded (RFC 3986, section 3.4)")
)

// The errors of Requirements.Check. ErrExpired matches ErrUnauthorized, too. The others
// do not: they are about rights, not about the identity.
const (
	ErrExpired            requirementError = "Token expired"
	ErrMissingPermissions requirementError = "Missing required permissions"
	ErrMissingRole        requirementError = "Missing required role"
)

// requirementError is a constant error whose whole text is shown to the client.
type requirementError string

func (e requirementError) Error() string { return string(e) }

// Is makes ErrExpired match ErrUnauthorized.
func (e requirementError) Is(target error) bool { return e == ErrExpired && target == ErrUnauthorized }

// Error is the refusal of a token. It matches ErrUnauthorized, and ErrExpired when the
// reason is ReasonExpired. An application's own Verifier may return it.
type Error struct {
	Reason Reason
	Err    error // the cause, without any content of the token; may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "auth: token refused: " + string(e.Reason)
	}
	return "auth: token refused: " + string(e.Reason) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Is reports whether target is ErrUnauthorized, or ErrExpired for an expired
// token.
func (e *Error) Is(target error) bool {
	return target == ErrUnauthorized || target == ErrExpired && e != nil && e.Reason == ReasonExpired
}

// UnavailableError is ErrUnavailable with a cause. It matches ErrUnavailable.
type UnavailableError struct {
	// RetryAfter is the time until the key set may be fetched again, at most 30 s; 0
	// means unknown.
	RetryAfter time.Duration
	Err        error // the cause, without any content of the token; may be nil
}

func (e *UnavailableError) Error() string {
	if e.Err == nil {
		return ErrUnavailable.Error()
	}
	return ErrUnavailable.Error() + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// Is reports whether target is ErrUnavailable.
func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

// ReasonOf returns the reason of an error of this package or of a Verifier: "" for nil,
// and ReasonOther for any other error.
func ReasonOf(err error) Reason {
	var refusal *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refusal) && refusal != nil:
		return refusal.Reason.known()
	case errors.Is(err, ErrExpired):
		return ReasonExpired
	case errors.Is(err, ErrMissingPermissions):
		return ReasonPermissions
	case errors.Is(err, ErrMissingRole):
		return ReasonRole
	case errors.Is(err, ErrTwoCredentials):
		return ReasonTwoCredentials
	case errors.Is(err, ErrInvalidQuery):
		return ReasonInvalidQuery
	case errors.Is(err, ErrUnavailable):
		return ReasonUnavailable
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return ReasonCanceled
	}
	return ReasonOther
}

// known returns the reason, or ReasonOther for a reason that an application made up,
// which must not become a metric label.
func (r Reason) known() Reason {
	switch r {
	case ReasonMissing, ReasonTooLarge, ReasonMalformed, ReasonAlgorithm, ReasonKey, ReasonSignature,
		ReasonExpired, ReasonNotYetValid, ReasonIssuer, ReasonAudience, ReasonSubject, ReasonClaims,
		ReasonClaimExp, ReasonClaimIat, ReasonClaimNbf, ReasonClaimJti:
		return r
	}
	return ReasonOther
}

// Detail returns the cause of an error of this package as text for a log, such as "exp
// is missing". It names claims and quotes the configuration, never a token. For the
// error of an application's own Verifier, whose text may quote a token, it returns the
// reason; for nil the empty string.
func Detail(err error) string {
	if own, ok := errors.AsType[detail](err); ok {
		return own.Error()
	}
	return string(ReasonOf(err))
}

// detail is a cause whose text is from this package and without content of a token.
type detail struct{ error }

func (d detail) Unwrap() error { return d.error }

// refuse returns an Error. The text must not contain anything from the token.
func refuse(reason Reason, format string, args ...any) error {
	return &Error{Reason: reason, Err: detail{fmt.Errorf(format, args...)}}
}
