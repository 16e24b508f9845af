// Package auth verifies tokens and says what their users may do.
//
// It owns the rules for JSON Web Tokens (RFC 7519, RFC 8725): where a request carries
// its token, which key verifies it, and which claims make an [Identity]. The error for
// a refused token is an [Error] with a [Reason] and matches [ErrUnauthorized]. While
// the key of a token is unknown because the key set cannot be fetched, or not again so
// soon, the error matches [ErrUnavailable]: the token may be good.
//
// The package never writes an HTTP answer, never keeps a token, never logs or quotes a
// token, a secret or the value of a claim, and never takes a key or the URL of a key
// from a token.
//
// Everything exported is safe for concurrent use. A [JWT] owns goroutines only when it
// has a JWKS URL; Close ends them.
package auth
