// Command centrifuge broadcasts with github.com/centrifugal/centrifuge: clients
// are subscribed to one channel by the server when they connect, messages are
// published to the node, protocol and buffers are those of its examples.
//
// -write-delay sets ConnectReply.WriteDelay, which its documentation offers for
// high message rates: it trades latency for fewer writes.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/centrifugal/centrifuge"

	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/token"
)

const channel = "bench"

func main() {
	delay := flag.Duration("write-delay", 0, "how long to collect messages for one write")
	flag.Parse()
	node, err := start(*delay)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ws := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		ReadBufferSize:     1024,
		UseWriteBufferPool: true,
	})
	control.Main(control.Target{
		Handler:     token.Protect(withCredentials(ws)),
		Connections: func() int { return node.Hub().NumSubscribers(channel) },
		Broadcast: func(payloads [][]byte) error {
			for _, p := range payloads {
				if _, err := node.Publish(channel, p); err != nil {
					return err
				}
			}
			return nil
		},
	})
}

// withCredentials hands the verified user to centrifuge.
func withCredentials(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := centrifuge.SetCredentials(r.Context(), &centrifuge.Credentials{UserID: token.UserOf(r.Context())})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func start(delay time.Duration) (*centrifuge.Node, error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, fmt.Errorf("centrifuge: new node: %w", err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		reply := centrifuge.ConnectReply{Subscriptions: map[string]centrifuge.SubscribeOptions{channel: {}}}
		if delay > 0 {
			reply.WriteDelay, reply.MaxMessagesInFrame, reply.WriteWithTimer = delay, -1, true
		}
		return reply, nil
	})
	if err := node.Run(); err != nil {
		return nil, fmt.Errorf("centrifuge: run node: %w", err)
	}
	return node, nil
}
