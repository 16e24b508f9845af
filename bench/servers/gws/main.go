// Command gws broadcasts with github.com/lxzan/gws by its Broadcaster, as its
// README shows it: a loop over the connections, each of which queues the write.
//
// With -topics each connection has a topic of its own, the same as in the project's
// server. The subscriber of a topic is found in the library's sharded map; its
// message has a type, the payload, a timestamp and the topic, and is written at once.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"time"

	"github.com/lxzan/gws"

	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/token"
)

// events keeps the open connections.
type events struct {
	gws.BuiltinEventHandler
	conns  *gws.ConcurrentMap[*gws.Conn, struct{}]
	topics *gws.ConcurrentMap[string, *gws.Conn] // nil without -topics
}

const topicKey = "topic" // in a connection's session

func (e *events) OnOpen(c *gws.Conn) {
	e.conns.Store(c, struct{}{})
	if e.topics != nil {
		e.topics.Store(topicOf(c), c)
	}
}

func (e *events) OnClose(c *gws.Conn, _ error) {
	e.conns.Delete(c)
	if e.topics != nil {
		e.topics.Delete(topicOf(c))
	}
}

func topicOf(c *gws.Conn) string {
	topic, _ := c.Session().Load(topicKey)
	name, _ := topic.(string)
	return name
}

// message is what a subscriber gets.
type message struct {
	Type      string          `json:"type"`
	Payload   json.RawMessage `json:"payload"`
	Timestamp string          `json:"timestamp"`
	Topic     string          `json:"topic"`
}

func (e *events) publish(topic string, payload []byte) error {
	c, ok := e.topics.Load(topic)
	if !ok {
		return errors.New("gws: the topic has no subscriber")
	}
	text, err := json.Marshal(message{"bench", payload, time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00"), topic})
	if err != nil {
		return err
	}
	return c.WriteMessage(gws.OpcodeText, text)
}

func (e *events) broadcast(payload []byte) error {
	b := gws.NewBroadcaster(gws.OpcodeText, payload)
	defer b.Close()
	var failed error
	e.conns.Range(func(c *gws.Conn, _ struct{}) bool {
		failed = b.Broadcast(c)
		return failed == nil
	})
	return failed
}

func main() {
	ownTopics := flag.Bool("topics", false, "subscribe each connection to the topic of its user")
	flag.Parse()
	e := &events{conns: gws.NewConcurrentMap[*gws.Conn, struct{}](16, 1024)}
	if *ownTopics {
		e.topics = gws.NewConcurrentMap[string, *gws.Conn](16, 1024)
	}
	upgrader := gws.NewUpgrader(e, nil)
	upgrade := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := upgrader.Upgrade(w, r); err == nil {
			if e.topics != nil {
				c.Session().Store(topicKey, token.Topic(token.UserOf(r.Context())))
			}
			go c.ReadLoop()
		}
	})
	control.Main(control.Target{
		Handler:        token.Protect(upgrade),
		Connections:    e.conns.Len,
		PublishToTopic: e.publish,
		Broadcast: func(payloads [][]byte) error {
			for _, p := range payloads {
				if err := e.broadcast(p); err != nil {
					return err
				}
			}
			return nil
		},
	})
}
