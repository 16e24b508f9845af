package realtime

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"boundary-app.org/realtime/bus"
)

// Age returns how long before now the connection was accepted.
func (i ConnectionInfo) Age(now time.Time) time.Duration { return now.Sub(i.CreatedAt) }

// HasRole reports whether the connection's user has the role.
func (i ConnectionInfo) HasRole(role string) bool { return slices.Contains(i.Roles, role) }

// HasAnyRole reports whether the user has at least one of roles; false for none.
func (i ConnectionInfo) HasAnyRole(roles ...string) bool {
	return slices.ContainsFunc(roles, i.HasRole)
}

// HasAllRoles reports whether the user has every one of roles; true for none.
func (i ConnectionInfo) HasAllRoles(roles ...string) bool {
	return !slices.ContainsFunc(roles, func(role string) bool { return !i.HasRole(role) })
}

// WithMetadata returns a copy whose metadata has these values too. The original
// and the copy share nothing that can be changed, other than the values.
func (i ConnectionInfo) WithMetadata(values map[string]any) ConnectionInfo {
	merged := make(map[string]any, len(i.Metadata)+len(values))
	maps.Copy(merged, i.Metadata)
	maps.Copy(merged, values)
	i.Metadata = merged
	i.Roles = slices.Clone(i.Roles)
	i.Topics = slices.Clone(i.Topics)
	return i
}

// FilterByUser returns a user's connections, in order.
func FilterByUser(infos []ConnectionInfo, user string) []ConnectionInfo {
	return filter(infos, User(user).names)
}

// FilterByRole returns the connections whose user has the role, in order.
func FilterByRole(infos []ConnectionInfo, role string) []ConnectionInfo {
	return filter(infos, Role(role).names)
}

// FilterByMetadata returns the connections whose metadata has this value, in
// the sense of reflect.DeepEqual, under the key.
func FilterByMetadata(infos []ConnectionInfo, key string, value any) []ConnectionInfo {
	return filter(infos, func(i ConnectionInfo) bool {
		got, ok := i.Metadata[key]
		return ok && reflect.DeepEqual(got, value)
	})
}

// Route returns the ids of those connections that the address names, in order:
// whom a message to it would reach.
func (a Address) Route(infos []ConnectionInfo) []string {
	ids := []string{}
	for _, i := range infos {
		if a.names(i) {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

func (a Address) names(i ConnectionInfo) bool {
	switch a.route {
	case bus.Everyone:
		return true
	case bus.User:
		return i.UserID == a.target
	case bus.Role:
		return i.HasRole(a.target)
	case bus.Connection:
		return i.ID == a.target
	case bus.Topic:
		return slices.Contains(i.Topics, a.target)
	}
	return false
}

// Addressed is a message and whom it is for.
type Addressed struct {
	To      Address
	Message Message
}

// FilterByTarget returns what is addressed to exactly this target, in order.
func FilterByTarget(messages []Addressed, to Address) []Addressed {
	return filter(messages, func(m Addressed) bool { return m.To == to })
}

// FilterByType returns the messages of a type, in order.
func FilterByType(messages []Message, messageType string) []Message {
	return filter(messages, func(m Message) bool { return m.Type == messageType })
}

// FilterRecent returns the messages whose timestamp is at most age before now,
// in order. A message without a timestamp is not recent.
func FilterRecent(messages []Message, now time.Time, age time.Duration) []Message {
	return filter(messages, func(m Message) bool { return !m.Timestamp.IsZero() && now.Sub(m.Timestamp) <= age })
}

// CountByType returns how many messages there are of each type.
func CountByType(messages []Message) map[string]int {
	counts := map[string]int{}
	for _, m := range messages {
		counts[m.Type]++
	}
	return counts
}

// filter returns a new slice, so that the caller's stays as it is.
func filter[T any](all []T, keep func(T) bool) []T {
	kept := []T{}
	for _, v := range all {
		if keep(v) {
			kept = append(kept, v)
		}
	}
	return kept
}
