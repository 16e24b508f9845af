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
	revocation, err := parseRevocation(data)
	if err != nil {
		return nil, err
	}
	done, err := a.svc.Revoke(r.Context(), revocation)
	if err != nil {
		return nil, err
	}
	return disconnectedOf(done), nil
}

// parseRevocation reads {"user":"u1","until":"2026-01-02T03:04:05Z","reason":"..."}
// with "user", "connection" or "tokenId".
func parseRevocation(data []byte) (revocation realtime.Revocation, err error) {
	body, err := parseBody(data, "user", "connection", "tokenId", "until", "reason")
	if err != nil {
		return revocation, err
	}
	if err := body.readRevoked(&revocation); err != nil {
		return revocation, err
	}
	if revocation.Until, err = body.time("until"); err != nil {
		return revocation, err
	}
	if err := body.text("reason", "a string", &revocation.Reason); err != nil {
		return revocation, err
	}
	return revocation, checkReason(revocation.Reason)
}

// readRevoked reads the one of "user", "connection" and "tokenId" that is given.
func (m members) readRevoked(r *realtime.Revocation) error {
	var given []string
	targets := map[string]*string{"user": &r.User, "connection": &r.Connection, "tokenId": &r.TokenID}
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

// rfc3339 is the exact form of a time: time.Parse also accepts a comma, single digits
// and any number of hours as zone.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// time reads a member that is a time (RFC 3339). It returns zero when there is none.
func (m members) time(name string) (at time.Time, err error) {
	const kind = `a time (RFC 3339) such as "2026-01-02T03:04:05Z"`
	var text string
	if err := m.text(name, kind, &text); err != nil || m[name] == nil {
		return at, err
	}
	at, err = time.Parse(time.RFC3339, text)
	if err != nil || !rfc3339.MatchString(text) {
		return time.Time{}, badBody("%q must be %s", name, kind)
	}
	if at.IsZero() { // zero would mean that there is none
		return at, badBody("%q is in the past; leave it out, or give a later time", name)
	}
	return at, nil
}
