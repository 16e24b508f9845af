package auth

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"boundary-app.org/realtime/wire"
)

const bearerPrefix = "bearer."

// FromRequest returns the token that r carries, and whether it carries one at
// all. It looks in
//
//   - the query parameter param, unless param is empty;
//   - the header "Authorization: Bearer <token>" (RFC 6750, section 2.1);
//   - the header "Sec-WebSocket-Protocol: boundary.realtime.v1, bearer.<token>",
//     for browsers, which can set no other header on a WebSocket. The server
//     answers with boundary.realtime.v1 alone. The prefix may be left out of a
//     JWT, which is told from a subprotocol by its form.
//
// A token that is empty is present: the verifier refuses it. More than one
// token, in different places or twice in one, is ErrTwoCredentials. Any error
// is the client's fault: answer 400. FromRequest does not verify the token.
func FromRequest(r *http.Request, param string) (token string, present bool, err error) {
	tokens, err := queryTokens(r, param)
	if err != nil {
		return "", false, err
	}
	tokens = appendAuthorization(tokens, r.Header)
	tokens = appendSubprotocol(tokens, r.Header)
	switch len(tokens) {
	case 0:
		return "", false, nil
	case 1:
		return tokens[0], true, nil
	}
	return "", false, ErrTwoCredentials
}

func queryTokens(r *http.Request, param string) ([]string, error) {
	if param == "" || r.URL.RawQuery == "" {
		return nil, nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		// The cause is left out: it quotes the query, which may hold a token.
		return nil, fmt.Errorf("auth: read query: not URL-encoded (RFC 3986, section 3.4)")
	}
	return query[param], nil
}

// appendAuthorization takes the scheme in any case (RFC 9110, section 11.1).
// Other schemes are somebody else's.
func appendAuthorization(tokens []string, header http.Header) []string {
	for _, value := range header.Values("Authorization") {
		scheme, token, _ := strings.Cut(value, " ")
		if strings.EqualFold(scheme, "Bearer") {
			tokens = append(tokens, strings.Trim(token, " "))
		}
	}
	return tokens
}

func appendSubprotocol(tokens []string, header http.Header) []string {
	var found []string
	offered := false
	for _, value := range header.Values("Sec-WebSocket-Protocol") {
		for entry := range strings.SplitSeq(value, ",") {
			entry = strings.Trim(entry, " \t")
			if token, ok := strings.CutPrefix(entry, bearerPrefix); ok || looksLikeJWT(entry) {
				found = append(found, token)
			}
			offered = offered || entry == wire.Subprotocol
		}
	}
	if !offered {
		return tokens
	}
	return append(tokens, found...)
}

// looksLikeJWT reports whether a subprotocol entry is a JWT: three parts, of
// which the first is an encoded JSON object.
func looksLikeJWT(entry string) bool {
	return strings.HasPrefix(entry, "ey") && strings.Count(entry, ".") == 2
}
