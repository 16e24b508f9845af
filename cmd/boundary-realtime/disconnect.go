package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/apiclient"
)

type disconnectCommand struct {
	addressArgs
	Code   *int   `placeholder:"CODE" help:"Close code: 1000, 1001, 1008, 1011, 1012, 1013 or 4000-4999. Default: 4503, after which clients stay away."`
	Reason string `placeholder:"TEXT" help:"Text for the clients."`
	outputFlags
	apiFlags
}

// Help says where the key comes from.
func (disconnectCommand) Help() string {
	return "Disconnects on all nodes. " + keyHelp + "\n\nboundary-realtime disconnect user u1 --reason 'signed out'"
}

// Run disconnects, and prints how many connections there were.
func (c *disconnectCommand) Run(ctx context.Context, p *program) error {
	path, err := c.path()
	if err != nil {
		return err
	}
	if c.To != "connection" {
		path += "/connections"
	}
	body, err := json.Marshal(struct {
		Code   *int   `json:"code,omitempty"`
		Reason string `json:"reason,omitempty"`
	}{c.Code, c.Reason})
	if err != nil {
		return fmt.Errorf("disconnect: %w", err)
	}
	client, err := c.client(ctx, p)
	if err != nil {
		return err
	}
	answer, n, err := count(ctx, client, http.MethodDelete, path, body)
	if err != nil {
		return fmt.Errorf("disconnect: %w", err)
	}
	return c.print(p, answer, "disconnected %s", n.connections())
}

type revokeCommand struct {
	What   string `arg:"" enum:"user,token,connection" help:"Whose tokens: user, token or connection."`
	ID     string `arg:"" help:"Id of the user, the token (its claim jti) or the connection."`
	Until  string `placeholder:"TIME" help:"When the tokens have expired, such as 2026-01-02T03:04:05Z. Default: the longest life of a token from now."`
	Reason string `placeholder:"TEXT" help:"Text for the clients that are disconnected."`
	outputFlags
	apiFlags
}

// Help says what is revoked.
func (revokeCommand) Help() string {
	return "Refuses tokens before they expire, and disconnects their clients, on all nodes: all tokens of a user, the one with an id, " +
		"or those of a connection. " + keyHelp + "\n\nboundary-realtime revoke user u1 --reason 'the password was changed'"
}

// Run revokes, and prints how many connections were closed.
func (c *revokeCommand) Run(ctx context.Context, p *program) error {
	name := c.What
	if name == "token" {
		name = "tokenId"
		if strings.Count(c.ID, ".") == 2 && strings.HasPrefix(c.ID, "ey") {
			return wrongUsage("revoke token takes the token's id, its claim jti, but a token is given; token inspect - shows its id")
		}
	}
	order := map[string]string{name: c.ID}
	for member, text := range map[string]string{"until": c.Until, "reason": c.Reason} {
		if text != "" {
			order[member] = text
		}
	}
	body, err := json.Marshal(order)
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	client, err := c.client(ctx, p)
	if err != nil {
		return err
	}
	answer, n, err := count(ctx, client, http.MethodPost, "/v1/revocations", body)
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	return c.print(p, answer, "revoked; disconnected %s", n.connections())
}

// count makes a call that acts on connections, and returns its answer as it is,
// too.
func count(ctx context.Context, client *apiclient.Client, method, path string, body []byte) ([]byte, counted, error) {
	answer, err := client.Call(ctx, method, path, body)
	if err != nil {
		return nil, counted{}, err
	}
	n, err := readCounted(answer)
	return answer, n, err
}
