package auth

import (
	"net/http"
	"net/url"
	"strings"

	"boundary-app.org/realtime/wire"
)

// TokenSource is a place in a request that may hold a token.
type TokenSource string

// The places in a request that may hold a token.
const (
	TokenInQuery       TokenSource = "query"       // a query parameter
	TokenInHeader      TokenSource = "header"      // "Authorization: Bearer <token>"
	TokenInSubprotocol TokenSource = "subprotocol" // an entry of Sec-WebSocket-Protocol
)

// FromRequest returns the token of r, and whether r has one. It looks in
//
//   - the query parameter param, unless param is empty;
//   - the header "Authorization: Bearer <token>" (RFC 6750, section 2.1);
//   - the header "Sec-WebSocket-Protocol: boundary.realtime.v1, bearer.<token>",
//     for browsers, which can set no other header on a WebSocket. The server
//     answers with boundary.realtime.v1 alone. The prefix may be left out of a
//     JWT, which is told from a subprotocol by its form.
//
// An empty token is present: the verifier refuses it. More than one token, in
// different places or in one, is ErrTwoCredentials. With sources only these places
// count, and the first place with a token decides: then only two tokens in that place
// are too many. A query that is not URL-encoded is ErrInvalidQuery. Both errors are the
// client's fault: answer 400. FromRequest does not verify the token.
func FromRequest(r *http.Request, param string, sources ...TokenSource) (token string, present bool, err error) {
	all := len(sources) == 0
	if all {
		sources = []TokenSource{TokenInQuery, TokenInHeader, TokenInSubprotocol}
	}
	var tokens []string
	for _, source := range sources {
		found, err := tokensIn(r, source, param)
		if err != nil {
			return "", false, err
		}
		if tokens = append(tokens, found...); len(tokens) > 0 && !all {
			break
		}
	}
	switch len(tokens) {
	case 0:
		return "", false, nil
	case 1:
		return tokens[0], true, nil
	}
	return "", false, ErrTwoCredentials
}

func tokensIn(r *http.Request, source TokenSource, param string) ([]string, error) {
	switch source {
	case TokenInQuery:
		return queryTokens(r, param)
	case TokenInHeader:
		return headerTokens(r.Header), nil
	case TokenInSubprotocol:
		return subprotocolTokens(r.Header), nil
	}
	return nil, nil
}

func queryTokens(r *http.Request, param string) ([]string, error) {
	if param == "" || r.URL.RawQuery == "" {
		return nil, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, ErrInvalidQuery // the cause would quote the query, which may hold a token
	}
	return query[param], nil
}

func headerTokens(header http.Header) (tokens []string) {
	for _, value := range header.Values("Authorization") {
		if token, ok := bearerToken(value); ok {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// bearerToken returns the token of an Authorization header "Bearer <token>" (RFC
// 6750, section 2.1). The scheme may be in any case, and one or more spaces may
// follow it (RFC 9110, sections 11.1 and 11.4); ok is false for another scheme.
func bearerToken(authorization string) (token string, ok bool) {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.Trim(token, " "), true
}

func subprotocolTokens(header http.Header) (tokens []string) {
	offered := false
	for _, value := range header.Values("Sec-WebSocket-Protocol") {
		for entry := range strings.SplitSeq(value, ",") {
			entry = strings.Trim(entry, " \t")
			if token, ok := strings.CutPrefix(entry, wire.BearerPrefix); ok || looksLikeJWT(entry) {
				tokens = append(tokens, token)
			}
			offered = offered || entry == wire.Subprotocol
		}
	}
	if !offered {
		return nil // the entries belong to another subprotocol
	}
	return tokens
}

// looksLikeJWT reports whether a subprotocol entry is a JWT: three parts, of
// which the first is an encoded JSON object.
func looksLikeJWT(entry string) bool {
	return strings.HasPrefix(entry, "ey") && strings.Count(entry, ".") == 2
}
