package main

import (
	"cmp"
	"context"
	"net/url"
	"strings"
	"time"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/tail"
)

type tailCommand struct {
	URL       string        `name:"url" placeholder:"URL" help:"URL of the WebSocket endpoint ($REALTIME_URL). Default: ws://127.0.0.1:8080/ws"`
	Topic     []string      `sep:"none" placeholder:"TOPIC" help:"Topic to subscribe to; may be given again."`
	TokenFile string        `placeholder:"FILE" help:"File with the token; read again for each connection. Default: $REALTIME_TOKEN."`
	Count     *int          `placeholder:"N" help:"End after this many messages."`
	For       time.Duration `placeholder:"DURATION" help:"End after this time, such as 10s."`
}

// Help returns the help text.
func (tailCommand) Help() string {
	return "Messages go to standard output, one line of JSON each; events of the connection go to standard error.\n\n" +
		"boundary-realtime tail --topic order:123 --count 1"
}

const defaultURL = "ws://127.0.0.1:8080/ws"

// Run prints messages until ctx is done, the count is reached, or the server closes with
// a code after which clients stop.
func (c *tailCommand) Run(ctx context.Context, p *program) error {
	count := 0
	if c.Count != nil {
		if count = *c.Count; count < 1 {
			return wrongUsage("--count must be 1 or more")
		}
	}
	if c.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.For)
		defer cancel()
	}
	if _, err := p.load(""); err != nil { // reports a misspelled variable
		return err
	}
	address := cmp.Or(c.URL, p.lookup(config.EnvURL), defaultURL)
	if u, err := url.Parse(address); err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		return wrongUsage("the URL is not one of a WebSocket; write it as %s", defaultURL)
	}
	token := p.lookup(config.EnvToken)
	if c.TokenFile == "" && token == "" {
		return wrongUsage("no token: set REALTIME_TOKEN, or give --token-file; token mint makes one, with --dev from a server in dev mode")
	}
	return tail.Run(ctx, tail.Options{
		URL:    address,
		Topics: c.Topic,
		Count:  count,
		Token: func() (string, error) {
			if c.TokenFile == "" {
				return token, nil
			}
			return readToken(c.TokenFile)
		},
		Out:    p.stdout,
		Status: p.stderr,
	})
}

// trimLine removes the line end that shells and editors append.
func trimLine(text []byte) string { return strings.TrimRight(string(text), "\r\n") }
