// Package auth turns a token into an identity and answers what that identity
// may do.
//
// It owns the rules for JSON Web Tokens (RFC 7519, RFC 8725): where a request
// carries its token, which keys verify it, which claims make an identity. A
// refused token is an [Error] with a [Reason] and matches [ErrUnauthorized]. A key that
// is not known, while the key set cannot be fetched or was fetched too short a time
// ago, is not the client's fault: the error matches [ErrUnavailable] instead.
//
// It never writes an HTTP answer, never keeps a token, never logs or quotes a
// token, a secret or a claim's value, and never takes a key or an address of a
// key from a token.
//
// Everything exported is safe for concurrent use. A [JWT] owns goroutines only
// when it has a JWKS URL; Close ends them.
package auth
