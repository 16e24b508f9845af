package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/apiclient"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

// apiFlags say which server a command calls.
type apiFlags struct {
	API    string `name:"api" placeholder:"URL" help:"Where the server is ($REALTIME_API_URL). Default: http://127.0.0.1:8080"`
	Config string `placeholder:"FILE" help:"YAML file with settings ($REALTIME_CONFIG)."`
}

const (
	defaultAPI = "http://127.0.0.1:8080"
	keyHelp    = "The API key comes from REALTIME_API_KEY or REALTIME_API_KEY_FILE; a server in dev mode on this machine needs none."
)

// client returns a client of the server, with the first of the configured keys. A
// server in dev mode on this machine is asked for one where none is configured.
func (f *apiFlags) client(ctx context.Context, p *program) (*apiclient.Client, error) {
	cfg, err := p.load(f.Config)
	if err != nil {
		return nil, err
	}
	keys, err := cfg.APIKeys()
	if err != nil {
		return nil, err
	}
	base, err := f.base(p)
	if err != nil {
		return nil, err
	}
	if len(keys) > 0 {
		return apiclient.New(base, keys[0]), nil
	}
	session, err := devSession(ctx, base, apiclient.Asked{})
	if errors.Is(err, apiclient.ErrNotDev) {
		return nil, wrongUsage("no API key: set REALTIME_API_KEY or REALTIME_API_KEY_FILE")
	}
	return apiclient.New(base, session.APIKey), err
}

// devSession asks no server but one of this machine.
func devSession(ctx context.Context, base string, asked apiclient.Asked) (s apiclient.Session, err error) {
	if !apiclient.IsLocal(base) {
		return s, fmt.Errorf("%w: it is not on this machine", apiclient.ErrNotDev)
	}
	return apiclient.DevSession(ctx, base, asked)
}

func (f *apiFlags) base(p *program) (string, error) {
	base, err := apiclient.CheckURL(cmp.Or(f.API, p.lookup(config.EnvAPIURL), defaultAPI))
	if err != nil {
		return "", wrongUsage("--api or %s is %w; write it as %s", config.EnvAPIURL, err, defaultAPI)
	}
	return base, nil
}

// outputFlags say how a command prints its result.
type outputFlags struct {
	JSON bool `name:"json" help:"Print JSON, for programs."`
}

// counted is the answer to a call that acts on connections; empty after 204, which
// stands for one connection.
type counted struct {
	Recipients   int      `json:"recipients"`
	Disconnected int      `json:"disconnected"`
	Missing      []string `json:"missing"` // the nodes that did not reply
}

// connections says how many connections were reached.
func (n counted) connections() string {
	reached := plural(n.Recipients+n.Disconnected, "connection") // one of the two is 0
	if len(n.Missing) == 0 {
		return reached
	}
	return fmt.Sprintf("at least %s; no reply from node %s", reached, strings.Join(n.Missing, ", "))
}

func readCounted(answer []byte) (n counted, err error) {
	if len(answer) == 0 {
		return counted{Recipients: 1}, nil
	}
	if err := json.Unmarshal(answer, &n); err != nil {
		return n, fmt.Errorf("read the answer: %w", err)
	}
	return n, nil
}

// print writes a server's answer as it is, for programs, or a line for people.
func (f *outputFlags) print(p *program, answer []byte, format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	if f.JSON {
		line = string(bytes.TrimSpace(answer))
	}
	_, err := fmt.Fprintln(p.stdout, line)
	return err
}
