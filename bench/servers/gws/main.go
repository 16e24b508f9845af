// Command gws broadcasts with github.com/lxzan/gws by its Broadcaster, as its
// README shows it: a loop over the connections, each of which queues the write.
package main

import (
	"net/http"

	"github.com/lxzan/gws"

	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/token"
)

// events keeps the open connections.
type events struct {
	gws.BuiltinEventHandler
	conns *gws.ConcurrentMap[*gws.Conn, struct{}]
}

func (e *events) OnOpen(c *gws.Conn) { e.conns.Store(c, struct{}{}) }

func (e *events) OnClose(c *gws.Conn, _ error) { e.conns.Delete(c) }

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
	e := &events{conns: gws.NewConcurrentMap[*gws.Conn, struct{}](16, 1024)}
	upgrader := gws.NewUpgrader(e, nil)
	upgrade := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := upgrader.Upgrade(w, r); err == nil {
			go c.ReadLoop()
		}
	})
	control.Main(control.Target{
		Handler:     token.Protect(upgrade),
		Connections: e.conns.Len,
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
