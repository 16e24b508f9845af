package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

type sendCommand struct {
	To     string `arg:"" enum:"user,role,connection,topic,broadcast" help:"To whom: user, role, connection, topic or broadcast."`
	Target string `arg:"" optional:"" help:"Which user, role, connection or topic."`
	Input  string `arg:"" optional:"" help:"- reads the whole message from standard input, as JSON."`

	Type    string `placeholder:"TYPE" help:"Type of the message."`
	Payload string `placeholder:"JSON" help:"Payload of the message."`
	JSON    string `name:"json" placeholder:"OBJECT" help:"The whole message instead; - reads it from standard input."`
	API     string `name:"api" placeholder:"URL" help:"Where the server is ($REALTIME_API_URL). Default: http://127.0.0.1:8080"`
	Config  string `placeholder:"FILE" help:"YAML file with settings ($REALTIME_CONFIG)."`
}

// Help says where the key comes from.
func (sendCommand) Help() string {
	return "The API key comes from REALTIME_API_KEY or REALTIME_API_KEY_FILE.\n\n" +
		`boundary-realtime send user u1 --type greeting --payload '{"text":"hello"}'`
}

const (
	defaultAPI  = "http://127.0.0.1:8080"
	sendTimeout = 30 * time.Second
	maxAnswer   = 1 << 20 // octets
)

// Run sends the message and prints the server's answer.
func (c *sendCommand) Run(ctx context.Context, p *program) error {
	cfg, err := p.load(c.Config)
	if err != nil {
		return err
	}
	key, err := apiKey(cfg)
	if err != nil {
		return err
	}
	path, err := c.path()
	if err != nil {
		return err
	}
	body, err := c.message(p)
	if err != nil {
		return err
	}
	address, err := c.address(p)
	if err != nil {
		return err
	}
	answer, err := post(ctx, address+path, key, body)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", bytes.TrimSpace(answer))
	return err
}

// address returns where the server is, without a slash at the end. An error does
// not quote it: it may hold a password.
func (c *sendCommand) address(p *program) (string, error) {
	address := cmp.Or(c.API, p.lookup(config.EnvAPIURL), defaultAPI)
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", wrongUsage("--api or REALTIME_API_URL is not the URL of a server; write it as %s", defaultAPI)
	}
	if u.User != nil || strings.ContainsAny(address, "?#") {
		return "", wrongUsage("--api or REALTIME_API_URL holds a user name, a query or a fragment; write it as %s", defaultAPI)
	}
	return strings.TrimRight(address, "/"), nil
}

func apiKey(cfg *config.Config) (config.Secret, error) {
	keys, err := cfg.APIKeys()
	if err != nil {
		return "", err
	}
	if len(keys) == 0 {
		return "", wrongUsage("no API key: set REALTIME_API_KEY or REALTIME_API_KEY_FILE")
	}
	return keys[0], nil
}

// path returns the path of the API for the target.
func (c *sendCommand) path() (string, error) {
	if c.To == "broadcast" {
		if c.Target == "-" {
			c.Target, c.Input = "", "-"
		}
		if c.Target != "" {
			return "", wrongUsage("a broadcast has no target, but %q is given", c.Target)
		}
		return "/v1/broadcast", nil
	}
	if c.Target == "" {
		return "", wrongUsage("send %s: say which %s", c.To, c.To)
	}
	// A path of dots would otherwise be taken for a way through directories.
	target := strings.ReplaceAll(url.PathEscape(c.Target), ".", "%2E")
	return "/v1/" + c.To + "s/" + target + "/messages", nil
}

// message returns the message as JSON. The server judges it.
func (c *sendCommand) message(p *program) ([]byte, error) {
	switch {
	case c.Input != "" && c.Input != "-":
		return nil, wrongUsage("%q is one word too many; give the message with --type and --payload, or --json", c.Input)
	case (c.JSON != "" || c.Input != "") && (c.Type != "" || c.Payload != ""):
		return nil, wrongUsage("give either --type and --payload, or the whole message")
	case c.JSON == "-", c.Input == "-":
		return p.readInput()
	case c.JSON != "":
		return []byte(c.JSON), nil
	case c.Type == "":
		return nil, wrongUsage("no message: give --type, and --payload where it has one, or --json")
	case c.Payload != "" && !json.Valid([]byte(c.Payload)):
		return nil, wrongUsage(`--payload is not JSON; a text is written --payload '"hello"'`)
	}
	return json.Marshal(struct {
		Type    string          `json:"type"`
		Payload json.RawMessage `json:"payload,omitempty"`
	}{c.Type, json.RawMessage(c.Payload)})
}

// post returns the answer to a message, or what the server finds wrong with it.
func post(ctx context.Context, address string, key config.Secret, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+string(key))
	request.Header.Set("Content-Type", "application/json")
	request.Close = true
	client := http.Client{
		Timeout:       sendTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the key is for this server
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		return nil, refusal(response.Status, answer)
	}
	return answer, nil
}

// refusal is the server's problem (RFC 9457) as an error.
func refusal(status string, answer []byte) error {
	var problem struct{ Title, Detail string }
	if json.Unmarshal(answer, &problem) != nil || problem.Title+problem.Detail == "" {
		return fmt.Errorf("the server answered %s", status)
	}
	return fmt.Errorf("the server answered %s: %s", status, cmp.Or(problem.Detail, problem.Title))
}
