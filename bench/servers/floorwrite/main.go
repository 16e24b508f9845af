//go:build linux

// Command floorwrite is the floor of servers that write each message by itself:
// a frame built once, one send(2) per connection and message.
package main

import (
	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/floor"
	"boundary-app.org/realtime/bench/internal/frame"
)

func main() {
	sockets := new(floor.Sockets)
	control.Main(control.Target{
		Handler:     sockets,
		Connections: sockets.Count,
		Broadcast: func(payloads [][]byte) error {
			for _, p := range payloads {
				if err := sockets.WriteAll(frame.AppendServer(nil, frame.Text, p)); err != nil {
					return err
				}
			}
			return nil
		},
	})
}
