package api

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/wire"
)

// connectionInfo is a connection as callers see it.
type connectionInfo struct {
	ID        string         `json:"id"`
	UserID    string         `json:"userId"`
	Roles     []string       `json:"roles"`
	Topics    []string       `json:"topics"`
	CreatedAt time.Time      `json:"createdAt"`
	ExpiresAt time.Time      `json:"expiresAt,omitzero"`
	Metadata  map[string]any `json:"metadata"`
}

func describe(c *realtime.Conn) connectionInfo {
	info := connectionInfo(c.Info())
	info.Roles = listed(info.Roles)
	info.Topics = listed(info.Topics)
	info.ExpiresAt = info.ExpiresAt.UTC()
	if info.ExpiresAt.Year() > 9999 { // beyond RFC 3339, and as good as never
		info.ExpiresAt = time.Time{}
	}
	return info
}

// listed returns names, or an empty list instead of nil: [] in JSON rather than null.
func listed(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

type connectionList struct {
	Connections []connectionInfo `json:"connections"`
	Total       int              `json:"total"`
	Next        string           `json:"next,omitempty"`
}

// candidate holds a connection and its id, which Conn.ID would format at each call.
type candidate struct {
	id   string
	conn *realtime.Conn
}

// connections lists the connections of this node that match all filters, sorted by
// id.
func (a *api) connections(r *http.Request) (any, error) {
	q, err := parseQuery(r)
	if err != nil {
		return nil, err
	}
	f, err := newFilter(q)
	if err != nil {
		return nil, err
	}
	list := connectionList{Connections: []connectionInfo{}}
	var behind []candidate
	for _, c := range a.svc.Connections(f.narrowest()) {
		if !f.match(c) {
			continue
		}
		list.Total++
		if id := c.ID(); id > q.after {
			behind = append(behind, candidate{id, c})
		}
	}
	slices.SortFunc(behind, func(a, b candidate) int { return cmp.Compare(a.id, b.id) })
	behind, list.Next = page(q, behind, func(c candidate) string { return c.id })
	for _, c := range behind {
		list.Connections = append(list.Connections, describe(c.conn))
	}
	return list, nil
}

// filter selects connections; an empty string matches all.
type filter struct{ user, role, topic string }

func newFilter(q query) (filter, error) {
	f := filter{q.values.Get("user"), q.values.Get("role"), q.values.Get("topic")}
	if q.values.Has("user") {
		if err := wire.CheckTarget("user", f.user); err != nil {
			return f, err
		}
	}
	if q.values.Has("role") {
		if err := wire.CheckTarget("role", f.role); err != nil {
			return f, err
		}
	}
	if q.values.Has("topic") {
		return f, wire.CheckTopic(f.topic)
	}
	return f, nil
}

// narrowest returns the address that probably has the fewest connections.
func (f filter) narrowest() realtime.Address {
	switch {
	case f.user != "":
		return realtime.User(f.user)
	case f.topic != "":
		return realtime.Topic(f.topic)
	case f.role != "":
		return realtime.Role(f.role)
	}
	return realtime.Everyone()
}

func (f filter) match(c *realtime.Conn) bool {
	return (f.user == "" || c.UserID() == f.user) &&
		(f.role == "" || c.Identity().HasRole(f.role)) &&
		(f.topic == "" || slices.Contains(c.Topics(), f.topic))
}

func (a *api) connection(r *http.Request) (any, error) {
	c := a.svc.Connection(r.PathValue("id"))
	if c == nil {
		return nil, noConnection()
	}
	return describe(c), nil
}

func noConnection() *problem {
	return newProblem(unknownConnection, "there is no connection with this id")
}
