//go:build linux

// Command floorjoined is the floor of servers that join the messages that wait:
// their frames are put together once, and each connection gets one send(2).
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
			var joined []byte
			for _, p := range payloads {
				joined = frame.AppendServer(joined, frame.Text, p)
			}
			return sockets.WriteAll(joined)
		},
	})
}
