// Package filter picks from lists of connections and messages. It changes nothing that
// it is given, keeps nothing, and is safe for concurrent use.
package filter

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"boundary-app.org/realtime"
)

// Age returns how long before now a connection was accepted.
func Age(c realtime.ConnectionInfo, now time.Time) time.Duration { return now.Sub(c.CreatedAt) }

// HasRole reports whether the user of a connection has a role.
func HasRole(c realtime.ConnectionInfo, role string) bool { return slices.Contains(c.Roles, role) }

// HasAnyRole reports whether the user has at least one of roles; false for none.
func HasAnyRole(c realtime.ConnectionInfo, roles ...string) bool {
	return slices.ContainsFunc(roles, func(role string) bool { return HasRole(c, role) })
}

// HasAllRoles reports whether the user has every one of roles; true for none.
func HasAllRoles(c realtime.ConnectionInfo, roles ...string) bool {
	return !slices.ContainsFunc(roles, func(role string) bool { return !HasRole(c, role) })
}

// WithMetadata returns a copy of c whose metadata has these values too. The original
// and the copy share nothing that can be changed, other than the values.
func WithMetadata(c realtime.ConnectionInfo, values map[string]any) realtime.ConnectionInfo {
	merged := make(map[string]any, len(c.Metadata)+len(values))
	maps.Copy(merged, c.Metadata)
	maps.Copy(merged, values)
	c.Metadata = merged
	c.Roles = slices.Clone(c.Roles)
	c.Topics = slices.Clone(c.Topics)
	return c
}

// ByUser returns the connections of a user, in order.
func ByUser(all []realtime.ConnectionInfo, user string) []realtime.ConnectionInfo {
	return keep(all, realtime.User(user).Matches)
}

// ByRole returns the connections whose user has a role, in order.
func ByRole(all []realtime.ConnectionInfo, role string) []realtime.ConnectionInfo {
	return keep(all, realtime.Role(role).Matches)
}

// ByMetadata returns the connections whose metadata has this value, in the sense of
// reflect.DeepEqual, under the key, in order.
func ByMetadata(all []realtime.ConnectionInfo, key string, value any) []realtime.ConnectionInfo {
	return keep(all, func(c realtime.ConnectionInfo) bool {
		got, ok := c.Metadata[key]
		return ok && reflect.DeepEqual(got, value)
	})
}

// ByID returns the connections of a service's node with these ids, in the order of
// the ids; ids without a connection are skipped.
func ByID(s *realtime.Service, ids ...string) []*realtime.Conn {
	conns := make([]*realtime.Conn, 0, len(ids))
	for _, id := range ids {
		if c := s.Connection(id); c != nil {
			conns = append(conns, c)
		}
	}
	return conns
}

// Route returns the ids of the connections that a message to an address would reach,
// in order.
func Route(all []realtime.ConnectionInfo, to realtime.Address) []string {
	ids := []string{}
	for _, c := range keep(all, to.Matches) {
		ids = append(ids, c.ID)
	}
	return ids
}

// Addressed is a message and the address that it is for.
type Addressed struct {
	To      realtime.Address
	Message realtime.Message
}

// ByTarget returns the messages for exactly this address, in order.
func ByTarget(messages []Addressed, to realtime.Address) []Addressed {
	return keep(messages, func(m Addressed) bool { return m.To == to })
}

// ByType returns the messages of a type, in order.
func ByType(messages []realtime.Message, messageType string) []realtime.Message {
	return keep(messages, func(m realtime.Message) bool { return m.Type == messageType })
}

// Recent returns the messages whose timestamp is at most age before now, in order. A
// message without a timestamp is not recent.
func Recent(messages []realtime.Message, now time.Time, age time.Duration) []realtime.Message {
	return keep(messages, func(m realtime.Message) bool {
		return !m.Timestamp.IsZero() && now.Sub(m.Timestamp) <= age
	})
}

// CountByType returns how many messages there are of each type.
func CountByType(messages []realtime.Message) map[string]int {
	counts := map[string]int{}
	for _, m := range messages {
		counts[m.Type]++
	}
	return counts
}

// keep returns those for which test returns true, in a new slice.
func keep[T any](all []T, test func(T) bool) []T {
	kept := []T{}
	for _, v := range all {
		if test(v) {
			kept = append(kept, v)
		}
	}
	return kept
}
