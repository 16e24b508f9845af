// Command melody broadcasts with github.com/olahol/melody by its Broadcast.
package main

import (
	"net/http"

	"github.com/olahol/melody"

	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/token"
)

func main() {
	m := melody.New()
	upgrade := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// It has answered; the load client sees what went wrong.
		_ = m.HandleRequest(w, r)
	})
	control.Main(control.Target{
		Handler:     token.Protect(upgrade),
		Connections: m.Len,
		Broadcast: func(payloads [][]byte) error {
			for _, p := range payloads {
				if err := m.Broadcast(p); err != nil {
					return err
				}
			}
			return nil
		},
	})
}
