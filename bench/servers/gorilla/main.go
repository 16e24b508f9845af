// Command gorilla broadcasts with github.com/gorilla/websocket by the hub of
// its chat example: a map of clients, a buffered channel and a write pump each.
//
// The example's write pump puts the messages that wait into one WebSocket
// message, separated by line feeds. Browsers then see several JSON documents in
// one message, so that applications leave this out; -join puts it back.
package main

import (
	"flag"

	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/token"
)

func main() {
	join := flag.Bool("join", false, "put the messages that wait into one WebSocket message")
	flag.Parse()
	h := newHub(*join)
	go h.run()
	control.Main(control.Target{
		Handler:     token.Protect(h),
		Connections: h.count,
		Broadcast: func(payloads [][]byte) error {
			for _, p := range payloads {
				h.broadcast <- p
			}
			return nil
		},
	})
}
