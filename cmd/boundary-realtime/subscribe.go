package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/apiclient"
)

type subscribeCommand struct {
	addressArgs
	Topic []string `required:"" sep:"none" placeholder:"TOPIC" help:"Topic to subscribe to; may be given again."`
	outputFlags
	apiFlags
}

// Help says for which connections it counts.
func (subscribeCommand) Help() string {
	return "Subscribes the connections that there are, on all nodes, not those that come later. " + keyHelp +
		"\n\nboundary-realtime subscribe user u1 --topic order:123"
}

// Run subscribes, and prints how many connections are subscribed.
func (c *subscribeCommand) Run(ctx context.Context, p *program) error {
	t := topicChange{addressArgs: c.addressArgs, apiFlags: c.apiFlags, outputFlags: c.outputFlags, name: "subscribe", method: http.MethodPut}
	return t.run(ctx, p, c.Topic)
}

type unsubscribeCommand struct {
	addressArgs
	Topic []string `sep:"none" xor:"topics" placeholder:"TOPIC" help:"Topic to unsubscribe from; may be given again."`
	All   bool     `xor:"topics" help:"Unsubscribe from all topics instead."`
	outputFlags
	apiFlags
}

// Help says where the key comes from.
func (unsubscribeCommand) Help() string {
	return "Unsubscribes on all nodes. " + keyHelp + "\n\nboundary-realtime unsubscribe everyone --topic order:123"
}

// Run unsubscribes, and prints how many connections were found.
func (c *unsubscribeCommand) Run(ctx context.Context, p *program) error {
	t := topicChange{addressArgs: c.addressArgs, apiFlags: c.apiFlags, outputFlags: c.outputFlags, name: "unsubscribe", method: http.MethodDelete, all: c.All}
	return t.run(ctx, p, c.Topic)
}

// topicChange is a change of the topics of connections.
type topicChange struct {
	addressArgs
	apiFlags
	outputFlags
	name, method string
	all          bool // topics, none of which is given then
}

// run makes a call for each topic, or one for all.
func (t *topicChange) run(ctx context.Context, p *program, topics []string) error {
	path, err := t.path()
	if err != nil {
		return err
	}
	if slices.Contains(topics, "") || len(topics) == 0 && !t.all {
		return wrongUsage("say which --topic; unsubscribe takes --all, too")
	}
	client, err := t.client(ctx, p)
	if err != nil {
		return err
	}
	if t.all {
		return t.call(ctx, p, client, path+"/topics")
	}
	for _, topic := range topics {
		if err := t.call(ctx, p, client, path+"/topics"+apiclient.Path(topic)); err != nil {
			return err
		}
	}
	return nil
}

func (t *topicChange) call(ctx context.Context, p *program, client *apiclient.Client, path string) error {
	answer, n, err := count(ctx, client, t.method, path, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	if len(answer) == 0 { // that for one connection has no body
		answer = []byte(`{"recipients":1}`)
	}
	return t.print(p, answer, "%sd %s", t.name, n.connections())
}
