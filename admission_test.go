package realtime_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/socket"
	"boundary-app.org/realtime/wire"
)

// R1, R2, D1: the token parameter is the one that was configured.
func TestTokenParameter(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	good := token(t, user("u1"))
	for _, c := range []struct {
		name, param, query string
		status             int
		text               string
	}{
		{"missing", "", "", 400, "Missing token query parameter"},
		{"missing, custom", "jwt", "", 400, "Missing jwt query parameter"},
		{"custom, under the usual name", "jwt", "token=" + good, 400, "Missing jwt query parameter"},
		{"empty is not missing", "", "token=", 401, "unauthorized: missing"},
		{"empty is not missing, custom", "jwt", "jwt=", 401, "unauthorized: missing"},
		{"not a token", "", "token=a", 401, "unauthorized: malformed"},
		{"twice", "", "token=" + good + "&token=" + good, 400, auth.ErrTwoCredentials.Error()},
	} {
		h := svc.Handler(realtime.HandlerOptions{TokenParam: c.param})
		status, _, text := ask(t, h, upgrading("/ws?"+c.query))
		if status != c.status || text != c.text {
			t.Errorf("%s: %d %q, want %d %q", c.name, status, text, c.status, c.text)
		}
	}
	s := start(t, realtime.Options{}, realtime.HandlerOptions{TokenParam: "jwt"})
	dialRaw(t, s, upgrading("/?jwt="+good)).wants("$connected")
}

// R2: a plain GET that forgot its token is told so, whatever else is wrong.
func TestPlainRequestWithoutToken(t *testing.T) {
	t.Parallel()
	h := newService(t, realtime.Options{}).Handler(realtime.HandlerOptions{})
	status, _, text := ask(t, h, httptest.NewRequest(http.MethodGet, "/ws", nil))
	if status != 400 || text != "Missing token query parameter" {
		t.Errorf("%d %q", status, text)
	}
}

// A client of the subprotocol learns all places that count.
func TestTypedRequestWithoutToken(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	for _, c := range []struct {
		sources []realtime.TokenSource
		want    string
	}{
		{nil, "Missing token query parameter, or header Authorization: Bearer <token>, or subprotocol bearer.<token>"},
		{[]realtime.TokenSource{realtime.TokenInQuery, realtime.TokenInSubprotocol}, "Missing token query parameter, or subprotocol bearer.<token>"},
		{[]realtime.TokenSource{realtime.TokenInQuery}, "Missing token query parameter"},
	} {
		client := dialPipe(t, svc.Handler(realtime.HandlerOptions{TokenSources: c.sources}), upgrading("/", "Sec-Websocket-Protocol", wire.Subprotocol))
		event := client.next()
		if event.Kind != socket.Close || event.Code != uint16(wire.CloseBadRequest) || string(event.Data) != c.want {
			t.Errorf("%v: kind %d, code %d %q, want %q", c.sources, event.Kind, event.Code, event.Data, c.want)
		}
		_ = client.Conn.Close()
	}
}

// R3, R14: where a request may carry its token.
func TestCredentialPlaces(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	good := token(t, user("u1"))
	protocol := "Sec-Websocket-Protocol"
	for _, c := range []struct {
		name string
		r    *http.Request
	}{
		{"query", upgrading("/?token=" + good)},
		{"header", upgrading("/", "Authorization", "Bearer "+good)},
		{"subprotocol", upgrading("/", protocol, wire.Subprotocol+", bearer."+good)},
		{"subprotocol, bare", upgrading("/", protocol, wire.Subprotocol+", "+good)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dialRaw(t, s, c.r).wants("$connected")
		})
	}
	status, _, _ := ask(t, s.Handler(realtime.HandlerOptions{}),
		upgrading("/?token="+good, "Authorization", "Bearer "+good))
	if status != 400 {
		t.Errorf("two credentials: %d, want 400", status)
	}
}

// Where the operator lists the places that count, a proxy's own Authorization is no
// second credential.
func TestTokenSources(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{}, realtime.HandlerOptions{TokenSources: []realtime.TokenSource{realtime.TokenInSubprotocol, realtime.TokenInQuery}})
	good := token(t, user("u1"))
	for _, offered := range []string{wire.Subprotocol + ", bearer." + good, wire.Subprotocol} {
		target := "/"
		if offered == wire.Subprotocol {
			target += "?token=" + good
		}
		dialRaw(t, s, upgrading(target, "Authorization", "Bearer proxy", "Sec-Websocket-Protocol", offered)).wants("$connected")
	}
	dialRaw(t, s, upgrading("/?token="+good, "Authorization", "Bearer proxy")).wants("$connected")
	dialRaw(t, s, upgrading("/", "Authorization", "Bearer "+good, "Sec-Websocket-Protocol", wire.Subprotocol)).wantsClose(4501)
	for name, c := range map[string]struct {
		sources []realtime.TokenSource
		want    string
	}{
		"query":       {[]realtime.TokenSource{realtime.TokenInHeader, realtime.TokenInQuery}, "Missing token query parameter"},
		"subprotocol": {[]realtime.TokenSource{realtime.TokenInHeader, realtime.TokenInSubprotocol}, "Missing token: offer the subprotocols boundary.realtime.v1, bearer.<token>"},
		"header":      {[]realtime.TokenSource{realtime.TokenInHeader}, "Missing token: send the header Authorization: Bearer <token>"},
	} {
		if status, _, text := ask(t, s.Handler(realtime.HandlerOptions{TokenSources: c.sources}), upgrading("/")); status != 400 || text != c.want {
			t.Errorf("%s: %d %q, want %q", name, status, text, c.want)
		}
	}
}

// A mistake in the list is logged, and no token counts.
func TestUnknownTokenSource(t *testing.T) {
	t.Parallel()
	log := &journal{}
	h := newService(t, realtime.Options{Log: log.logger()}).Handler(realtime.HandlerOptions{TokenSources: []realtime.TokenSource{"cookie"}})
	if status, _, _ := ask(t, h, upgrading("/?token="+token(t, user("u1")))); status != 400 || !strings.Contains(log.String(), "cookie") {
		t.Errorf("status %d, logged %s", status, log)
	}
}

// A token among the subprotocols that comes without ours is no token: the answer
// says what to offer.
func TestTokenWithoutTheSubprotocol(t *testing.T) {
	t.Parallel()
	svc := newService(t, realtime.Options{})
	good := token(t, user("u1"))
	for _, offered := range []string{"bearer." + good, "chat, bearer." + good, "Boundary.Realtime.V1,bearer." + good} {
		for _, inMessage := range []bool{false, true} {
			h := svc.Handler(realtime.HandlerOptions{TokenInMessage: inMessage})
			status, _, text := ask(t, h, upgrading("/", "Sec-Websocket-Protocol", offered))
			if status != 400 || !strings.Contains(text, "offer both: boundary.realtime.v1, bearer.<token>") {
				t.Errorf("%.12s: %d %q", offered, status, text)
			}
		}
	}
	s := start(t, realtime.Options{}, realtime.HandlerOptions{})
	dialRaw(t, s, upgrading("/?token="+good, "Sec-Websocket-Protocol", "bearer.x")).wants("$connected")
}
