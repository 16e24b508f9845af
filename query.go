package realtime

import (
	"slices"
	"time"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/engine"
)

// ConnectionInfo is a snapshot of a connection.
type ConnectionInfo struct {
	ID        string
	UserID    string
	Roles     []string
	Topics    []string
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
	Metadata  map[string]any
}

// Connection returns a connection of this node, nil when there is none.
func (s *Service) Connection(id string) *Conn { return owner(s.engine.Find(id)) }

func owner(core *engine.Conn) *Conn {
	if core == nil {
		return nil
	}
	return (*Conn)(core.Handler().(*clientHandler))
}

// Connections returns the connections of this node that an address names, in no
// order: Connections(Everyone()) returns all.
func (s *Service) Connections(of Address) []*Conn {
	if of.route == bus.Everyone {
		conns := make([]*Conn, 0, s.engine.Count())
		s.engine.All(func(c *engine.Conn) bool {
			conns = append(conns, owner(c))
			return true
		})
		return conns
	}
	members := s.engine.Members(of.route, of.target)
	conns := make([]*Conn, 0, len(members))
	for _, c := range members {
		conns = append(conns, owner(c))
	}
	return conns
}

// ConnectionCount returns the number of connections of this node.
func (s *Service) ConnectionCount() int { return s.engine.Count() }

// TopicSubscribers returns the ids of the connections of this node that are
// subscribed to a topic, sorted.
func (s *Service) TopicSubscribers(topic string) []string {
	conns := s.Connections(Topic(topic))
	ids := make([]string, len(conns))
	for i, c := range conns {
		ids[i] = c.ID()
	}
	slices.Sort(ids)
	return ids
}

// TopicInfo is a topic and the number of its subscribers.
type TopicInfo struct {
	Topic       string
	Subscribers int
}

// Topics returns the topics that have subscribers on this node, sorted.
func (s *Service) Topics() []TopicInfo {
	topics := []TopicInfo{}
	s.engine.Groups(bus.Topic, func(name string, members int) {
		topics = append(topics, TopicInfo{name, members})
	})
	slices.SortFunc(topics, func(a, b TopicInfo) int {
		if a.Topic < b.Topic {
			return -1
		}
		return 1
	})
	return topics
}

// TopicCount returns the number of topics with subscribers on this node.
func (s *Service) TopicCount() (n int) {
	s.engine.Groups(bus.Topic, func(string, int) { n++ })
	return n
}

// SubscriptionCount returns the number of subscriptions on this node.
func (s *Service) SubscriptionCount() int { return s.engine.Subscriptions() }

// Info returns a snapshot of the connection. Metadata holds the email, where the
// token has one, and when it connected.
func (c *Conn) Info() ConnectionInfo {
	id := c.Identity()
	info := ConnectionInfo{
		ID:        c.ID(),
		UserID:    id.UserID,
		Roles:     id.Roles,
		Topics:    c.Topics(),
		CreatedAt: c.CreatedAt(),
		ExpiresAt: id.ExpiresAt,
		Metadata:  map[string]any{"connectedAt": c.CreatedAt()},
	}
	slices.Sort(info.Topics)
	if id.Email != "" {
		info.Metadata["email"] = id.Email
	}
	return info
}
