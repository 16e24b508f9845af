package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/wire"
)

// door is a WebSocket endpoint that refuses.
type door struct {
	opts    realtime.Options
	handler realtime.HandlerOptions
	before  func(svc *realtime.Service, url string) // nil: nothing
	query   string                                  // of the request
	header  http.Header
	first   string // the first message of the client
}

// refusing is a verifier that refuses every token.
func refusing(err error) realtime.Options {
	return realtime.Options{Verifier: auth.VerifierFunc(func(context.Context, string) (*auth.Identity, error) { return nil, err })}
}

// accepting is a verifier that takes every token for the user u1.
func accepting(limits realtime.Limits) realtime.Options {
	return realtime.Options{Limits: limits, Verifier: auth.VerifierFunc(func(context.Context, string) (*auth.Identity, error) {
		return &auth.Identity{UserID: "u1", Claims: json.RawMessage("{}")}, nil
	})}
}

const withToken = "token=x"

// doors are endpoints that refuse with every code.
func doors(t *testing.T) (all []door) {
	for _, reason := range []auth.Reason{
		auth.ReasonMissing, auth.ReasonTooLarge, auth.ReasonMalformed, auth.ReasonAlgorithm, auth.ReasonKey, auth.ReasonSignature,
		auth.ReasonExpired, auth.ReasonNotYetValid, auth.ReasonIssuer, auth.ReasonAudience, auth.ReasonSubject, auth.ReasonClaims,
		auth.ReasonClaimExp, auth.ReasonClaimIat, auth.ReasonClaimNbf, auth.ReasonClaimJti, "of the application",
	} {
		all = append(all, door{opts: refusing(&auth.Error{Reason: reason}), query: withToken})
	}
	for _, err := range []error{auth.ErrUnavailable, context.Canceled, errors.New("x")} {
		all = append(all, door{opts: refusing(err), query: withToken})
	}
	for _, sources := range [][]realtime.TokenSource{nil, {realtime.TokenInHeader}, {realtime.TokenInSubprotocol}, {realtime.TokenInQuery}} {
		all = append(all, door{handler: realtime.HandlerOptions{TokenSources: sources}})
	}
	open := accepting(realtime.Limits{})
	connect := func(_ *realtime.Service, url string) {
		conn, _, err := websocket.Dial(t.Context(), url+"?token=x", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.CloseNow() })
		if _, _, err := conn.Read(t.Context()); err != nil { // $connected
			t.Fatal(err)
		}
	}
	for _, limits := range []realtime.Limits{{Connections: 1}, {ConnectionsPerUser: 1, RejectNewest: true}, {ConnectionsPerAddress: 1}} {
		all = append(all, door{opts: accepting(limits), before: connect, query: withToken})
	}
	return append(all,
		door{opts: open, query: withToken, header: http.Header{"Origin": {"https://elsewhere.example"}}},
		door{opts: open, query: "token=x&token=y"},
		door{opts: open, query: "token=%zz"},
		door{opts: refusing(nil), query: withToken},
		door{opts: open, query: withToken, handler: realtime.HandlerOptions{Require: auth.Requirements{Permissions: []string{"p"}}}},
		door{opts: open, query: withToken, handler: realtime.HandlerOptions{Require: auth.Requirements{Roles: []string{"r"}}}},
		door{opts: open, query: withToken, before: func(svc *realtime.Service, _ string) {
			if _, err := svc.Revoke(t.Context(), realtime.Revocation{User: "u1"}); err != nil {
				t.Fatal(err)
			}
		}},
		door{opts: open, query: withToken, before: func(svc *realtime.Service, _ string) { shutdown(t, svc) }},
		door{opts: realtime.Options{Verifier: auth.VerifierFunc(func(context.Context, string) (*auth.Identity, error) {
			return &auth.Identity{UserID: "\n"}, nil
		})}, query: withToken},
		door{opts: open, query: withToken, handler: realtime.HandlerOptions{OnOpen: func(context.Context, *realtime.Conn) error {
			return realtime.Refuse(0, "the application's own text")
		}}},
		door{handler: realtime.HandlerOptions{TokenInMessage: true}, first: "x"},
		door{handler: realtime.HandlerOptions{TokenInMessage: true}, first: strings.Repeat("x", 17<<10)},
	)
}

// refusedConnections returns how each door refuses a client without the subprotocol
// and one with it, and how requests are refused that are no handshakes.
func refusedConnections(t *testing.T) (lines []string) {
	for _, d := range doors(t) {
		s := start(t, d.opts, api.Options{})
		web := httptest.NewServer(s.Handler(d.handler))
		t.Cleanup(web.Close)
		url := "ws" + strings.TrimPrefix(web.URL, "http")
		if d.before != nil {
			d.before(s.Service, url)
		}
		plain, typed := d.knock(t, url), d.knock(t, url, wire.Subprotocol)
		code := refusalCounted(t, s.Service, 2)
		lines = append(lines, code+" "+plain, code+" "+typed)
	}
	return append(lines, refusedHandshakes(t)...)
}

// knock returns the status, or the close code, and the text of a refusal.
func (d door) knock(t *testing.T, url string, protocols ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, response, err := websocket.Dial(ctx, url+"?"+d.query, &websocket.DialOptions{HTTPHeader: d.header, Subprotocols: protocols})
	if err != nil && response == nil {
		t.Fatal(err)
	}
	if err != nil {
		text, _ := io.ReadAll(response.Body)
		return fmt.Sprintf("%d: %s", response.StatusCode, strings.TrimSpace(string(text)))
	}
	defer func() { _ = conn.CloseNow() }()
	if d.first != "" {
		_ = conn.Write(ctx, websocket.MessageText, []byte(d.first)) // it may be closed already
	}
	for {
		var end websocket.CloseError
		if _, _, err := conn.Read(ctx); asCloseError(err, &end) {
			return fmt.Sprintf("%d: %s", end.Code, end.Reason)
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// refusalCounted returns the reason of n refusals that the metric counts.
func refusalCounted(t *testing.T, svc *realtime.Service, n float64) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(svc.Collector())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "realtime_refusals_total" && len(f.GetMetric()) == 1 && f.GetMetric()[0].GetCounter().GetValue() == n {
			return f.GetMetric()[0].GetLabel()[0].GetValue()
		}
	}
	t.Errorf("not %v refusals with one reason", n)
	return ""
}

func refusedHandshakes(t *testing.T) (lines []string) {
	s := start(t, realtime.Options{}, api.Options{})
	for _, change := range []func(r *http.Request){
		func(r *http.Request) { r.Method = "POST" },
		func(r *http.Request) { r.ProtoMinor = 0 },
		func(r *http.Request) { r.ProtoMajor = 2 },
		func(r *http.Request) { r.Header.Set("Upgrade", "h2c") },
		func(r *http.Request) { r.Header.Del("Connection") },
		func(r *http.Request) { r.Header.Set("Sec-Websocket-Version", "8") },
		func(r *http.Request) { r.Header.Del("Sec-Websocket-Key") },
		func(r *http.Request) { r.ContentLength = 1 },
		func(r *http.Request) { r.Header.Set("Sec-Websocket-Protocol", "bearer.x") },
		func(r *http.Request) { r.Header.Set("Sec-Websocket-Protocol", "a b") },
		func(r *http.Request) { r.Header.Set("Sec-Websocket-Extensions", "a b") },
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header = http.Header{
			"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
		}
		change(r)
		w := httptest.NewRecorder()
		s.Handler(realtime.HandlerOptions{}).ServeHTTP(w, r)
		lines = append(lines, fmt.Sprintf("%s %d: %s", w.Header().Get("Realtime-Error"), w.Code, strings.TrimSpace(w.Body.String())))
	}
	return lines
}

// failedCommands sends commands that fail, with every code but internal.
func failedCommands(t *testing.T) (lines []string) {
	verifier := auth.VerifierFunc(func(_ context.Context, token string) (*auth.Identity, error) {
		switch token {
		case "refused":
			return nil, &auth.Error{Reason: auth.ReasonExpired}
		case "unknown":
			return nil, auth.ErrUnavailable
		}
		return &auth.Identity{UserID: token, Topics: []string{"a*"}}, nil
	})
	s := start(t, realtime.Options{Verifier: verifier, Limits: realtime.Limits{Topics: 1}}, api.Options{})
	conn, _, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(s.http.URL, "http")+"/ws?token=u1", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	c := &client{Conn: conn, t: t}
	for _, command := range []string{
		`{"action":"subscribe","topic":"a1"}`, `{"action":"subscribe","topic":"a2"}`, `{"action":"subscribe","topic":"b"}`,
		`{"action":"subscribe","topic":"a*"}`, `{"topic":"a1"}`, `{"action":"join"}`, `{"action":"connect","token":"u1"}`,
		`{"action":"refresh","token":"refused"}`, `{"action":"refresh","token":"unknown"}`, `{"action":"refresh","token":"u2"}`, `{"action":"refresh"}`,
		`{"action":"subscribe"}`, `{"action":`, "\ufeff{}", `{"action":7}`, `{"action":"ping","topik":1}`, `{"action":"ping","ref":{}}`,
		`{"action":"ping","action":"ping"}`, `{"action":"subscribe","topic":1}`, `{"action":"ping"` + strings.Repeat(" ", wire.MaxCommand) + `}`,
	} {
		if err := c.Write(t.Context(), websocket.MessageText, []byte(command)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Write(t.Context(), websocket.MessageBinary, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	for len(lines) < 20 {
		if failed, _ := c.read()["error"].(map[string]any); failed != nil {
			lines = append(lines, fmt.Sprintf("%v: %v", failed["code"], failed["message"]))
		}
	}
	return lines
}
