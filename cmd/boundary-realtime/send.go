package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

type sendCommand struct {
	addressArgs
	Input string `arg:"" optional:"" help:"- reads the whole message from standard input, as JSON."`

	Type    string `placeholder:"TYPE" help:"Type of the message."`
	Payload string `placeholder:"JSON" help:"Payload of the message."`
	JSON    string `name:"json" placeholder:"OBJECT" help:"The whole message instead; - reads it from standard input."`
	apiFlags
}

// Help returns the help text.
func (sendCommand) Help() string {
	return keyHelp + "\n\n" + `boundary-realtime send user u1 --type greeting --payload '{"text":"hello"}'`
}

// Run sends the message and prints the server's answer.
func (c *sendCommand) Run(ctx context.Context, p *program) error {
	if c.To == everyone && c.Name == "-" {
		c.Name, c.Input = "", "-"
	}
	path, err := c.path()
	if err != nil {
		return err
	}
	body, err := c.message(p)
	if err != nil {
		return err
	}
	client, err := c.client(ctx, p)
	if err != nil {
		return err
	}
	answer, err := client.Call(ctx, http.MethodPost, path+"/messages", body)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", bytes.TrimSpace(answer))
	return err
}

// message returns the message as JSON. The server validates it.
func (c *sendCommand) message(p *program) ([]byte, error) {
	switch {
	case c.Input != "" && c.Input != "-":
		return nil, wrongUsage("%q is an extra argument; give the message with --type and --payload, or with --json", c.Input)
	case (c.JSON != "" || c.Input != "") && (c.Type != "" || c.Payload != ""):
		return nil, wrongUsage("give either --type and --payload, or the whole message")
	case c.JSON == "-", c.Input == "-":
		return p.readInput()
	case c.JSON != "":
		return []byte(c.JSON), nil
	case c.Type == "":
		return nil, wrongUsage("no message: give --type and, if needed, --payload, or give --json")
	case c.Payload != "" && !json.Valid([]byte(c.Payload)):
		return nil, wrongUsage(`--payload is not JSON; write a string as --payload '"hello"'`)
	}
	return json.Marshal(struct {
		Type    string          `json:"type"`
		Payload json.RawMessage `json:"payload,omitempty"`
	}{c.Type, json.RawMessage(c.Payload)})
}
