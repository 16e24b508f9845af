package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

type tokenCommand struct {
	Mint    mintCommand    `cmd:"" help:"Make a token, signed with REALTIME_JWT_HMAC_SECRET: for development."`
	Inspect inspectCommand `cmd:"" help:"Show what a token says, and whether it is good."`
}

type mintCommand struct {
	Sub        string            `required:"" placeholder:"USER" help:"User id."`
	Role       []string          `sep:"none" placeholder:"ROLE" help:"Role; may be given again."`
	Permission []string          `sep:"none" placeholder:"NAME" help:"Permission; may be given again."`
	Topic      []string          `sep:"none" placeholder:"PATTERN" help:"Topic the client may subscribe to, such as order:123 or chat:*; may be given again."`
	Email      string            `placeholder:"ADDRESS" help:"Email address."`
	Expires    time.Duration     `default:"1h" help:"Time until the token expires."`
	Claim      map[string]string `mapsep:"none" placeholder:"NAME=JSON" help:"Any other claim; may be given again."`
	SecretFile string            `placeholder:"FILE" help:"File that holds the secret."`
	Config     string            `placeholder:"FILE" help:"YAML file with settings ($REALTIME_CONFIG)."`
}

// Run prints a token.
func (c *mintCommand) Run(p *program) error {
	cfg, err := p.load(c.Config)
	if err != nil {
		return err
	}
	secret, err := c.secret(cfg)
	if err != nil {
		return err
	}
	claims, err := c.claims(cfg.JWT, time.Now())
	if err != nil {
		return err
	}
	token, err := auth.Mint([]byte(secret), claims)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, token)
	return err
}

func (c *mintCommand) secret(cfg *config.Config) (secret config.Secret, err error) {
	if c.SecretFile != "" {
		return config.ReadSecret(c.SecretFile)
	}
	if secret, err = cfg.HMACSecret(); err == nil && secret == "" {
		err = wrongUsage("no secret to sign with: set REALTIME_JWT_HMAC_SECRET or REALTIME_JWT_HMAC_SECRET_FILE, or give --secret-file")
	}
	return secret, err
}

// claims names the claims as the server is configured to read them.
func (c *mintCommand) claims(cfg config.JWT, now time.Time) (map[string]any, error) {
	claims := map[string]any{cfg.Claims.UserID: c.Sub, "iat": now.Unix(), "exp": now.Add(c.Expires).Unix()}
	for name, list := range map[string][]string{
		cfg.Claims.Roles: c.Role, cfg.Claims.Permissions: c.Permission, cfg.Claims.Topics: c.Topic,
	} {
		if len(list) > 0 {
			claims[name] = list
		}
	}
	for name, text := range map[string]string{cfg.Claims.Email: c.Email, "iss": cfg.Issuer, "aud": cfg.Audience} {
		if text != "" {
			claims[name] = text
		}
	}
	for name, text := range c.Claim {
		if !json.Valid([]byte(text)) {
			return nil, wrongUsage(`--claim %s: the value is not JSON; a text is written --claim '%s="text"'`, name, name)
		}
		claims[name] = json.RawMessage(text)
	}
	return claims, nil
}

type inspectCommand struct {
	Token  string `arg:"" optional:"" help:"The token; - reads it from standard input. Default: $REALTIME_TOKEN."`
	Config string `placeholder:"FILE" help:"YAML file with settings ($REALTIME_CONFIG)."`
}

// Run prints the token's content, and the verdict of the configured keys.
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
	token := c.Token
	if token == "" {
		token = p.lookup(config.EnvToken)
	}
	switch token {
	case "":
		return "", wrongUsage("no token: give it, or - to read it from standard input, or set REALTIME_TOKEN")
	case "-":
		data, err := p.readInput()
		return trimLine(data), err
	}
	return token, nil
}

func (p *program) printIndented(name string, data json.RawMessage) error {
	text, err := json.MarshalIndent(data, "", "  ")
	if err != nil {
		return fmt.Errorf("print the %s: %w", name, err)
	}
	_, err = fmt.Fprintf(p.stdout, "%s %s\n", name, text)
	return err
}

// expiry says in words when a token ends.
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

// words returns a duration in the largest unit that it about reaches, rounded.
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

// verifyTimeout bounds the wait for a key set.
const verifyTimeout = 5 * time.Second

// verify says whether the configured keys take the token.
func (p *program) verify(ctx context.Context, cfg *config.Config, token string) error {
	options, err := cfg.Auth()
	if err != nil {
		return err
	}
	if len(options.HMACSecret) == 0 && len(options.PublicKey) == 0 && options.JWKSURL == "" {
		_, err = fmt.Fprintln(p.stdout, "NOT VERIFIED: no key is configured, so anybody can have written this")
		return err
	}
	options.Log = newLogger(cfg.Log, p.stderr)
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
	_, err = fmt.Fprintf(p.stdout, "VERIFIED: it stands for the user %q\n", id.UserID)
	return err
}
