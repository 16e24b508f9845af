package realtime

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/wire"
)

// credential finds the token. It reports that the token follows, as the first
// message, when the request has none and need not have one. Typed says that the
// client speaks the subprotocol.
func (e *endpoint) credential(r *http.Request, typed bool) (token string, follows bool, refused *refusal) {
	if e.service.life.draining.Load() {
		return "", false, drainRefusal(true)
	}
	token, present, err := auth.FromRequest(r, e.opts.TokenParam, e.opts.TokenSources...)
	switch {
	case err != nil:
		refused := refuse(badRequest, string(auth.ReasonOf(err)), err.Error())
		if errors.Is(err, auth.ErrTwoCredentials) {
			refused.because("more than one credential; where a proxy adds one of its own, list the places that count in token_sources (TokenSources)")
		}
		return "", false, refused
	case !present && e.counts(TokenInSubprotocol) && offersTokenAlone(r):
		return "", false, refuse(badRequest, "missing", tokenAlone)
	case !present && !e.opts.TokenInMessage:
		return "", false, e.missingToken(typed)
	}
	return token, !present, nil
}

const tokenAlone = "a token was offered without the subprotocol that it goes with; offer both: boundary.realtime.v1, bearer.<token>"

// offersTokenAlone reports whether a request has a token among its subprotocols
// and not boundary.realtime.v1, without which that place does not count. Its client
// would give up on an upgrade, since none of its subprotocols was answered.
func offersTokenAlone(r *http.Request) bool {
	found := false
	for _, value := range r.Header["Sec-Websocket-Protocol"] {
		for entry := range strings.SplitSeq(value, ",") {
			entry = strings.Trim(entry, " \t")
			if entry == wire.Subprotocol {
				return false
			}
			found = found || strings.HasPrefix(entry, wire.BearerPrefix)
		}
	}
	return found
}

// counts reports whether a token may stand in a place.
func (e *endpoint) counts(source TokenSource) bool {
	return len(e.opts.TokenSources) == 0 || slices.Contains(e.opts.TokenSources, source)
}

// missingToken says where a token belongs. Plain clients know the text for the
// query as it is; others, and the log, learn the other places too.
func (e *endpoint) missingToken(typed bool) *refusal {
	text, places := "Missing token: send the header Authorization: Bearer <token>", ""
	switch {
	case e.counts(TokenInQuery):
		text, places = "Missing "+e.opts.TokenParam+" query parameter", e.otherPlaces()
	case e.counts(TokenInSubprotocol):
		text = "Missing token: offer the subprotocols boundary.realtime.v1, bearer.<token>"
	}
	told := text
	if typed {
		told += places
	}
	return refuse(badRequest, "missing", told).because(text + places)
}

// otherPlaces names the places of a token beside the query.
func (e *endpoint) otherPlaces() (text string) {
	if e.counts(TokenInHeader) {
		text += ", or header Authorization: Bearer <token>"
	}
	if e.counts(TokenInSubprotocol) {
		text += ", or subprotocol bearer.<token>"
	}
	return text
}
