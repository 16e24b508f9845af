package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

type inspectCommand struct {
	Input     string `arg:"" optional:"" name:"token" help:"The token; - reads it from standard input, so that it is neither in the shell's history nor in the list of processes."`
	TokenFile string `placeholder:"FILE" help:"File with the token. Default: $REALTIME_TOKEN, else standard input."`
	Config    string `placeholder:"FILE" help:"YAML file with settings ($REALTIME_CONFIG)."`
}

// Run prints the content of the token, and whether the configured keys accept it.
func (c *inspectCommand) Run(ctx context.Context, p *program) error {
	cfg, err := p.load(c.Config)
	if err != nil {
		return err
	}
	token, err := c.token(p)
	if err != nil {
		return err
	}
	header, claims, err := auth.Inspect(token)
	if err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		data json.RawMessage
	}{{"header", header}, {"claims", claims}} {
		if err := p.printIndented(part.name, part.data); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(p.stdout, expiry(claims, time.Now())); err != nil {
		return err
	}
	return p.verify(ctx, cfg, token)
}

func (c *inspectCommand) token(p *program) (string, error) {
	switch {
	case c.Input != "" && c.TokenFile != "":
		return "", wrongUsage("give either the token or --token-file")
	case c.Input != "" && c.Input != "-":
		return c.Input, nil
	case c.TokenFile != "":
		return readToken(c.TokenFile)
	case c.Input == "" && p.lookup(config.EnvToken) != "":
		return p.lookup(config.EnvToken), nil
	}
	data, err := p.readInput()
	if err == nil && trimLine(data) == "" {
		err = wrongUsage("no token: pass it through standard input, or give --token-file, or set REALTIME_TOKEN")
	}
	return trimLine(data), err
}

func readToken(file string) (string, error) {
	token, err := config.ReadSecret("--token-file", file)
	return string(token), err
}

func (p *program) printIndented(name string, data json.RawMessage) error {
	text, err := json.MarshalIndent(data, "", "  ")
	if err != nil {
		return fmt.Errorf("print the %s: %w", name, err)
	}
	_, err = fmt.Fprintf(p.stdout, "%s %s\n", name, text)
	return err
}

// expiry returns the expiry of a token as text.
func expiry(claims json.RawMessage, now time.Time) string {
	var c struct {
		Exp *float64 `json:"exp"`
	}
	if json.Unmarshal(claims, &c) != nil || c.Exp == nil {
		return "no expiry: servers refuse a token without the claim exp"
	}
	at := time.Unix(int64(*c.Exp), 0).UTC()
	if at.After(now) {
		return fmt.Sprintf("expires in %s, at %s", words(at.Sub(now)), at.Format(time.RFC3339))
	}
	return fmt.Sprintf("EXPIRED %s ago, at %s", words(now.Sub(at)), at.Format(time.RFC3339))
}

// words returns a duration as text, rounded to the largest unit that it nearly reaches.
func words(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if d >= unit.length*19/20 {
			return plural(int(d.Round(unit.length)/unit.length), unit.name)
		}
	}
	return plural(int(d/time.Second), "second")
}

func plural(n int, name string) string {
	if n == 1 {
		return "1 " + name
	}
	return fmt.Sprintf("%d %ss", n, name)
}

// verifyTimeout is the longest wait for a key set.
const verifyTimeout = 5 * time.Second

// verify prints whether the configured keys accept the token.
func (p *program) verify(ctx context.Context, cfg *config.Config, token string) error {
	options, err := cfg.Auth()
	if err != nil {
		return err
	}
	if !config.HasKey(options) {
		_, err = fmt.Fprintln(p.stdout, "NOT VERIFIED: no key is configured, so anyone can have written this token")
		return err
	}
	logged := cfg.Log
	logged.Level = slog.LevelDebug // the claims that cannot be read
	options.Log = newLogger(logged, p.stderr)
	verifier, err := auth.New(options)
	if err != nil {
		return err
	}
	defer func() { _ = verifier.Close() }()
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	id, err := verifier.Verify(ctx, token)
	if err != nil {
		return fmt.Errorf("NOT VERIFIED: %w", err)
	}
	if _, err = fmt.Fprintf(p.stdout, "VERIFIED: the token of the user %q\n", id.UserID); err != nil {
		return err
	}
	return p.printRights(id)
}

// printRights prints the rights that a server with this configuration reads from a token.
func (p *program) printRights(id *auth.Identity) error {
	for _, right := range []struct {
		name  string
		names []string
	}{{"roles", id.Roles}, {"permissions", id.Permissions}, {"topics", id.Topics}} {
		text, err := json.Marshal(append([]string{}, right.names...)) // no names: [], not null
		if err != nil {
			return fmt.Errorf("print the %s: %w", right.name, err)
		}
		if _, err := fmt.Fprintf(p.stdout, "%s %s\n", right.name, text); err != nil {
			return err
		}
	}
	return nil
}
