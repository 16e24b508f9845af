package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/apiclient"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
	"boundary-app.org/realtime/wire"
)

type tokenCommand struct {
	Mint    mintCommand    `cmd:"" help:"Make a token for development, signed with REALTIME_JWT_HMAC_SECRET or by a server in dev mode."`
	Inspect inspectCommand `cmd:"" help:"Show the content of a token, and whether it is valid."`
}

type mintCommand struct {
	Sub        string            `required:"" placeholder:"USER" help:"User id."`
	Role       []string          `sep:"none" placeholder:"ROLE" help:"Role; may be given again."`
	Permission []string          `sep:"none" placeholder:"NAME" help:"Permission; may be given again."`
	Topic      []string          `sep:"none" placeholder:"PATTERN" help:"Topic the client may subscribe to, such as order:123 or chat:*; may be given again."`
	Email      string            `placeholder:"ADDRESS" help:"Email address."`
	Expires    *time.Duration    `placeholder:"DURATION" help:"Time until the token expires. Default: 1h"`
	Claim      map[string]string `mapsep:"none" placeholder:"NAME=JSON" help:"Any other claim; may be given again."`
	SecretFile string            `placeholder:"FILE" help:"File with the secret."`
	Dev        bool              `help:"Get the token from a server in dev mode on this machine, without a secret. Its client may subscribe to every topic unless --topic is given."`
	apiFlags
}

// Help returns the help text.
func (mintCommand) Help() string {
	return "boundary-realtime token mint --dev --sub alice --role admin\n\nREALTIME_JWT_HMAC_SECRET=... boundary-realtime token mint --sub u1 --topic 'order:*'"
}

// Run prints a token.
func (c *mintCommand) Run(ctx context.Context, p *program) error {
	token, err := c.token(ctx, p)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, token)
	return err
}

func (c *mintCommand) token(ctx context.Context, p *program) (string, error) {
	if err := checkPatterns(c.Topic); err != nil {
		return "", err
	}
	cfg, err := p.load(c.Config)
	if err != nil {
		return "", err
	}
	if c.Dev {
		return c.devToken(ctx, p)
	}
	secret, err := c.secret(cfg)
	if err != nil {
		return "", err
	}
	claims, err := c.claims(cfg.JWT, time.Now())
	if err != nil {
		return "", err
	}
	return c.sign(ctx, cfg, secret, claims)
}

// checkPatterns refuses patterns that match no topic.
func checkPatterns(patterns []string) error {
	for _, pattern := range patterns {
		if pattern == "*" {
			continue
		}
		topic, isPrefix := strings.CutSuffix(pattern, "*")
		if isPrefix {
			topic += "x" // a topic that the pattern matches
		}
		if err := wire.CheckTopic(topic); err != nil {
			return wrongUsage(`--topic %q matches no topic; write a topic such as order:123, or a prefix and "*": order:* (%w)`, pattern, err)
		}
	}
	return nil
}

// devToken gets a token from a server in dev mode, which has its own secret.
func (c *mintCommand) devToken(ctx context.Context, p *program) (string, error) {
	if len(c.Permission)+len(c.Claim) > 0 || c.Email+c.SecretFile != "" || c.Expires != nil {
		return "", wrongUsage("--dev allows only --sub, --role and --topic; the server sets the other claims")
	}
	if c.Sub == "" {
		return "", wrongUsage("--sub is empty; give the user's id")
	}
	base, err := c.base(p)
	if err != nil {
		return "", err
	}
	session, err := devSession(ctx, base, apiclient.Asked{User: c.Sub, Roles: c.Role, Topics: c.Topic})
	if errors.Is(err, apiclient.ErrNotDev) {
		return "", fmt.Errorf("token mint: %w; start one with: boundary-realtime serve --dev", err)
	}
	return string(session.Token), err
}

// sign returns a token that a server with this configuration and secret accepts.
func (c *mintCommand) sign(ctx context.Context, cfg *config.Config, secret config.Secret, claims map[string]any) (string, error) {
	method, err := signingMethod(cfg.JWT)
	if err != nil {
		return "", err
	}
	own := *cfg
	own.JWT.HMACSecret, own.JWT.HMACSecretFile, own.JWT.Algorithm = secret, "", method.Alg()
	own.JWT.PublicKeyFile, own.JWT.JWKSURL = "", ""
	options, err := own.Auth()
	if err != nil {
		return "", err
	}
	verifier, err := auth.New(options)
	if err != nil {
		return "", fmt.Errorf("token mint: %w", err)
	}
	defer func() { _ = verifier.Close() }() // it returns no error
	token, err := jwt.NewWithClaims(method, jwt.MapClaims(claims)).SignedString([]byte(secret))
	if err != nil {
		return "", fmt.Errorf("token mint: %w", err)
	}
	if _, err := verifier.Verify(ctx, token); err != nil {
		return "", fmt.Errorf("token mint: the server would refuse this token: %w", err)
	}
	return token, nil
}

// signingMethod returns the algorithm that the server uses with its secret. With an
// algorithm for public keys the secret has the default algorithm.
func signingMethod(cfg config.JWT) (*jwt.SigningMethodHMAC, error) {
	switch cfg.Algorithm {
	case "", "HS256":
		return jwt.SigningMethodHS256, nil
	case "HS384":
		return jwt.SigningMethodHS384, nil
	case "HS512":
		return jwt.SigningMethodHS512, nil
	}
	if cfg.PublicKeyFile == "" && cfg.JWKSURL == "" {
		return nil, wrongUsage("jwt_algorithm is %q, but a secret signs with HS256, HS384 or HS512; set one of them, or none", cfg.Algorithm)
	}
	return jwt.SigningMethodHS256, nil
}

func (c *mintCommand) secret(cfg *config.Config) (secret config.Secret, err error) {
	if c.SecretFile != "" {
		return config.ReadSecret("--secret-file", c.SecretFile)
	}
	if secret, err = cfg.HMACSecret(); err == nil && secret == "" {
		err = wrongUsage("no secret to sign with: set REALTIME_JWT_HMAC_SECRET or REALTIME_JWT_HMAC_SECRET_FILE, or give --secret-file")
	}
	return secret, err
}

// claims returns the claims under the names that the server is configured to read.
func (c *mintCommand) claims(cfg config.JWT, now time.Time) (map[string]any, error) {
	life := time.Hour
	if c.Expires != nil {
		life = *c.Expires
	}
	claims := map[string]any{
		"jti": rand.Text(), cfg.Claims.UserID: c.Sub, "iat": now.Unix(), "exp": now.Add(life).Unix(),
	}
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
			return nil, wrongUsage(`--claim %s: the value is not JSON; write a string as --claim '%s="text"'`, name, name)
		}
		claims[name] = json.RawMessage(text)
	}
	return claims, nil
}
