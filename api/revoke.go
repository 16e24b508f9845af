package api

import (
	"net/http"
	"regexp"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/wire"
)

// revoke refuses tokens before they expire, and closes their connections.
func (a *api) revoke(r *http.Request) (any, error) {
	data, err := requireBody(r)
	if err != nil {
		return nil, err
	}
	order, err := parseRevocation(data)
	if err != nil {
		return nil, err
	}
	done, err := a.svc.Revoke(r.Context(), order)
	if err != nil {
		return nil, err
	}
	return disconnected{done.Recipients}, nil
}

// parseRevocation reads {"user":"u1","until":"2026-01-02T03:04:05Z","reason":"..."};
// in place of the user a connection, or a token's id.
func parseRevocation(data []byte) (order realtime.Revocation, err error) {
	body, err := parseBody(data, "user", "connection", "tokenId", "until", "reason")
	if err != nil {
		return order, err
	}
	if err := body.revoked(&order); err != nil {
		return order, err
	}
	if order.Until, err = body.instant("until"); err != nil {
		return order, err
	}
	if err := body.text("reason", "a string", &order.Reason); err != nil {
		return order, err
	}
	return order, checkReason(order.Reason)
}

// revoked reads what is revoked, which is one thing.
func (m members) revoked(order *realtime.Revocation) error {
	var given []string
	targets := map[string]*string{"user": &order.User, "connection": &order.Connection, "tokenId": &order.TokenID}
	for name := range targets {
		if m[name] != nil {
			given = append(given, name)
		}
	}
	if len(given) != 1 {
		return badBody(`give one of "user", "connection" and "tokenId"`)
	}
	name := given[0]
	if err := m.text(name, "a string", targets[name]); err != nil {
		return err
	}
	return wire.CheckTarget(name, *targets[name])
}

// instants is the form of RFC 3339: time.Parse takes a comma, single digits and
// zones of any number of hours, too.
var instants = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// instant reads a member that is a time (RFC 3339); zero when there is none.
func (m members) instant(name string) (at time.Time, err error) {
	const kind = `a time (RFC 3339) such as "2026-01-02T03:04:05Z"`
	var text string
	if err := m.text(name, kind, &text); err != nil || m[name] == nil {
		return at, err
	}
	at, err = time.Parse(time.RFC3339, text)
	if err != nil || !instants.MatchString(text) {
		return time.Time{}, badBody("%q must be %s", name, kind)
	}
	if at.IsZero() { // which would stand for none
		return at, badBody("%q is in the past; leave it out, or give a later time", name)
	}
	return at, nil
}
