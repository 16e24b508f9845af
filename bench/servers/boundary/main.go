// Command boundary is this project's server in the benchmark, by its public API
// alone: each connection has an identity from its token and one topic.
//
// With -tls the connections come over TLS, under a certificate made at start. With
// -topics each connection has a topic of its own instead of one for all.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/token"
)

const topic = "bench"

func main() {
	withTLS := flag.Bool("tls", false, "serve over TLS")
	ownTopics := flag.Bool("topics", false, "subscribe each connection to the topic of its user")
	flag.Parse()
	t, err := target(*withTLS, *ownTopics)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	control.Main(t)
}

func target(withTLS, ownTopics bool) (t control.Target, err error) {
	svc, err := newService()
	if err != nil {
		return t, err
	}
	ctx := context.Background()
	t.Connections = svc.SubscriptionCount // each connection has one
	t.Handler = svc.Handler(realtime.HandlerOptions{
		TokenParam: token.Param,
		OnOpen: func(_ context.Context, c *realtime.Conn) error {
			if ownTopics {
				return c.Subscribe(token.Topic(c.UserID()))
			}
			return c.Subscribe(topic)
		},
	})
	t.PublishToTopic = func(topic string, p []byte) error {
		_, err := svc.PublishToTopic(ctx, topic, message(p))
		return err
	}
	t.Broadcast = func(payloads [][]byte) error {
		for _, p := range payloads {
			if _, err := svc.PublishToTopic(ctx, topic, message(p)); err != nil {
				return err
			}
		}
		return nil
	}
	t.SendToUser = func(user string, p []byte) error {
		_, err := svc.SendToUser(ctx, user, message(p))
		return err
	}
	if withTLS {
		t.TLS, err = selfSigned()
	}
	return t, err
}

func newService() (*realtime.Service, error) {
	secret, err := token.Secret()
	if err != nil {
		return nil, err
	}
	verifier, err := auth.New(auth.Options{HMACSecret: secret})
	if err != nil {
		return nil, err
	}
	return realtime.New(realtime.Options{Verifier: verifier})
}

func message(payload []byte) realtime.Message {
	return realtime.Message{Type: "bench", Payload: json.RawMessage(payload)}
}
