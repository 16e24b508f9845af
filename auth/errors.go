package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Reason says in one word why a token was refused. The set is small and fixed,
// fit for a metric label.
type Reason string

// The reasons for which a token is refused.
const (
	ReasonMissing     Reason = "missing"       // the token is empty
	ReasonTooLarge    Reason = "too_large"     // longer than MaxTokenSize
	ReasonMalformed   Reason = "malformed"     // not a JWT in compact form
	ReasonAlgorithm   Reason = "algorithm"     // not the algorithm of the key
	ReasonKey         Reason = "key"           // names no known key
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

// What ReasonOf answers for errors that are not an Error.
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
	// ErrUnavailable matches a failure to decide: the token's key is not known, and
	// the key set could not be fetched, or not again so soon. The token may be good;
	// the client should try again. An UnavailableError may say when.
	ErrUnavailable = errors.New("auth: the token's key cannot be had just now")
	// ErrTwoCredentials says that a request carries more than one token.
	ErrTwoCredentials = errors.New("more than one credential: send the token once, " +
		"as query parameter, as Authorization header or as subprotocol entry")
	// ErrInvalidQuery says that the query of a request, which may carry the token, cannot
	// be read.
	ErrInvalidQuery = errors.New("the query is not URL-encoded (RFC 3986, section 3.4)")
)

// What Requirements.Check answers. ErrExpired matches ErrUnauthorized too, the
// others do not: they are about rights, not about who it is.
const (
	ErrExpired            denial = "Token expired"
	ErrMissingPermissions denial = "Missing required permissions"
	ErrMissingRole        denial = "Missing required role"
)

// denial is a constant error whose whole text is shown to the client.
type denial string

func (d denial) Error() string { return string(d) }

// Is makes an expired token a refused token.
func (d denial) Is(target error) bool { return d == ErrExpired && target == ErrUnauthorized }

// Error is the refusal of a token. It matches ErrUnauthorized, and ErrExpired
// when the reason is ReasonExpired. An application's own Verifier may return it.
type Error struct {
	Reason Reason
	Err    error // the detail, without anything the token holds; may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "auth: token refused: " + string(e.Reason)
	}
	return "auth: token refused: " + string(e.Reason) + ": " + e.Err.Error()
}

// Unwrap returns the detail.
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

// UnavailableError says why a token's key cannot be had just now. It matches
// ErrUnavailable.
type UnavailableError struct {
	// RetryAfter is the time until the key set may be fetched again: 30 s at most,
	// and 0 where it is not known.
	RetryAfter time.Duration
	Err        error // the cause, without anything the token holds; may be nil
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

// ReasonOf returns the reason of an error of this package or of a Verifier: ""
// for nil, ReasonOther for what is neither.
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

// known keeps an application's own reasons out of metric labels.
func (r Reason) known() Reason {
	switch r {
	case ReasonMissing, ReasonTooLarge, ReasonMalformed, ReasonAlgorithm, ReasonKey, ReasonSignature,
		ReasonExpired, ReasonNotYetValid, ReasonIssuer, ReasonAudience, ReasonSubject, ReasonClaims,
		ReasonClaimExp, ReasonClaimIat, ReasonClaimNbf, ReasonClaimJti:
		return r
	}
	return ReasonOther
}

// Detail returns the cause of an error of this package in words for a log, such as
// "exp is missing": it names claims and quotes the configuration, never a token. For
// an error of an application's own Verifier, whose words may quote one, it is the
// reason; for nil it is empty.
func Detail(err error) string {
	if own, ok := errors.AsType[detail](err); ok {
		return own.Error()
	}
	return string(ReasonOf(err))
}

// detail is a cause in the words of this package, which hold nothing of a token.
type detail struct{ error }

func (d detail) Unwrap() error { return d.error }

// refuse makes a refusal. The words must hold nothing of the token.
func refuse(reason Reason, format string, args ...any) error {
	return &Error{Reason: reason, Err: detail{fmt.Errorf(format, args...)}}
}
