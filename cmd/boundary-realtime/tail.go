package main

import (
	"cmp"
	"context"
	"net/url"
	"strings"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/tail"
)

type tailCommand struct {
	URL       string   `name:"url" placeholder:"URL" help:"Where to connect ($REALTIME_URL). Default: ws://127.0.0.1:8080/ws"`
	Topic     []string `sep:"none" placeholder:"TOPIC" help:"Topic to subscribe to; may be given again."`
	TokenFile string   `placeholder:"FILE" help:"File that holds the token; read anew for each connection. Default: $REALTIME_TOKEN."`
}

// Help says what is printed where.
func (tailCommand) Help() string {
	return "Messages go to standard output, one line of JSON each; what happens to the connection goes to standard error."
}

const defaultURL = "ws://127.0.0.1:8080/ws"

// Run prints what arrives until ctx is done or the server says not to come back.
func (c *tailCommand) Run(ctx context.Context, p *program) error {
	if _, err := p.load(""); err != nil { // a misspelt variable is told here too
		return err
	}
	address := cmp.Or(c.URL, p.lookup(config.EnvURL), defaultURL)
	if u, err := url.Parse(address); err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		return wrongUsage("the URL is not a WebSocket's; write it as %s", defaultURL)
	}
	token := p.lookup(config.EnvToken)
	if c.TokenFile == "" && token == "" {
		return wrongUsage("no token: set REALTIME_TOKEN, or give --token-file; token mint makes one")
	}
	return tail.Run(ctx, tail.Options{
		URL:    address,
		Topics: c.Topic,
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

// trimLine returns text without the line end that shells and editors put at its
// end.
func trimLine(text []byte) string { return strings.TrimRight(string(text), "\r\n") }
