package engine

import (
	"math"
	"slices"

	"boundary-app.org/realtime/bus"
)

// membership is a group that a connection belongs to, and its position in the list
// of its shard. Joining and leaving change the index at once, and the list when the
// loop runs the task.
type membership struct {
	list *list
	pos  int32 // in list.members; notJoined until the loop has put it there
	left bool  // out of the index; the loop still has to remove it from the list
	own  bool  // a topic that only the client itself has asked for
}

const notJoined = -1

// Subscribe adds the connection to a topic. It returns false when it was
// subscribed already. What is sent to the topic after it has returned reaches
// the connection.
func (c *Conn) Subscribe(topic string, limit int) (added bool, err error) {
	return c.subscribe(topic, limit, false)
}

// SubscribeSelf is Subscribe at the client's own wish: OwnTopics has the topic
// until the connection is subscribed to it by another caller.
func (c *Conn) SubscribeSelf(topic string, limit int) (added bool, err error) {
	return c.subscribe(topic, limit, true)
}

func (c *Conn) subscribe(topic string, limit int, own bool) (added bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.at(key{bus.Topic, topic})
	switch {
	case c.ended:
		return false, ErrClosed
	case i >= 0:
		c.groups[i].own = c.groups[i].own && own
		return false, nil
	case limit > 0 && c.topicCount() >= limit:
		if own {
			c.refused = min(c.refused, math.MaxUint8-1) + 1
		}
		return false, ErrTopicLimit
	}
	c.enter(key{bus.Topic, topic}, 0, nil)
	c.groups[len(c.groups)-1].own = own
	c.refused = 0
	c.shard.engine.subscriptions.Add(1)
	return true, nil
}

// Refused returns how many subscriptions at the client's own wish were refused
// with ErrTopicLimit since the last that was not, up to 255.
func (c *Conn) Refused() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int(c.refused)
}

// Unsubscribe removes the connection from a topic. It returns false when it was
// not subscribed.
func (c *Conn) Unsubscribe(topic string) (removed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.at(key{bus.Topic, topic})
	if i < 0 {
		return false
	}
	c.leaveTopic(i)
	return true
}

// UnsubscribeAll removes the connection from all topics and returns their number.
func (c *Conn) UnsubscribeAll() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return 0
	}
	for i := range c.groups {
		if c.groups[i].isTopic() {
			c.leaveTopic(i)
			n++
		}
	}
	return n
}

// SetRoles changes the roles that the connection is found by.
func (c *Conn) SetRoles(roles []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	for i := range c.groups {
		m := &c.groups[i]
		if g := m.list.group; g.route == bus.Role && !m.left && !slices.Contains(roles, g.name) {
			c.leave(i)
		}
	}
	for _, role := range roles {
		if k := (key{bus.Role, role}); c.at(k) < 0 {
			c.enter(k, 0, nil)
		}
	}
}

// Topics returns the topics the connection is subscribed to.
func (c *Conn) Topics() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil
	}
	names := make([]string, 0, len(c.groups))
	for _, m := range c.groups {
		if m.isTopic() {
			names = append(names, m.list.group.name)
		}
	}
	return names
}

// OwnTopics returns the topics that only the client itself has asked for.
func (c *Conn) OwnTopics() (names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.groups {
		if m.own && m.isTopic() {
			names = append(names, m.list.group.name)
		}
	}
	return names
}

func (m membership) isTopic() bool { return !m.left && m.list.group.route == bus.Topic }

// topicCount returns the number of topics. Called under c.mu.
func (c *Conn) topicCount() (n int) {
	for _, m := range c.groups {
		if m.isTopic() {
			n++
		}
	}
	return n
}

// at returns where a group is in c.groups, or -1. Called under c.mu.
func (c *Conn) at(k key) int {
	if c.ended {
		return -1
	}
	for i := range c.groups {
		m := &c.groups[i]
		if g := m.list.group; g.route == k.route && !m.left && g.name == k.name {
			return i
		}
	}
	return -1
}

// enter adds the connection to a group, see index.join. Called under c.mu.
func (c *Conn) enter(k key, reserved int32, replay func() []*message) {
	l := c.shard.engine.index.join(k, c, reserved, replay)
	c.groups = append(c.groups, membership{list: l, pos: notJoined})
}

// leaveTopic takes the connection out of a topic. Called under c.mu.
func (c *Conn) leaveTopic(i int) {
	c.leave(i)
	c.shard.engine.subscriptions.Add(-1)
}

// leave takes the connection out of a group. Called under c.mu.
func (c *Conn) leave(i int) {
	m := &c.groups[i]
	m.left = true
	c.shard.engine.index.leave(m.list, task{run: (*shard).leave, conn: c, list: m.list})
}

// joined notes the place the loop has given the connection in a list. It
// returns false when the connection does not wait for one.
func (c *Conn) joined(l *list, pos int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.groups {
		if m := &c.groups[i]; m.list == l && m.pos == notJoined {
			m.pos = int32(pos)
			return true
		}
	}
	return false
}

// moved notes that a connection has a new place in a list.
func (c *Conn) moved(l *list, pos int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.groups {
		if m := &c.groups[i]; m.list == l && m.pos != notJoined {
			m.pos = pos
			return
		}
	}
}

// forget drops a membership that was left, and returns it.
func (c *Conn) forget(l *list) (m membership, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.groups {
		if m = c.groups[i]; m.list == l && m.left {
			c.groups = slices.Delete(c.groups, i, i+1)
			return m, m.pos != notJoined
		}
	}
	return m, false
}
