package config

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"

	"boundary-app.org/realtime/auth"
)

// Check tells whether a server can run with the settings: it reads the files
// they name, but asks nothing of the network. The error is Problems.
func (c *Config) Check() error {
	var problems Problems
	c.checkKeys(&problems)
	c.checkListeners(&problems)
	for _, origin := range c.Access.AllowedOrigins {
		if !isOrigin(origin) {
			problems.add("allowed_origins: %q is not an origin; write it as https://app.example.com, without a path", origin)
		}
	}
	if c.Limits.Backlog < c.Limits.MessageSize {
		problems.add("backlog (%v) is less than message_size (%v): no message of that size could wait",
			size{&c.Limits.Backlog}, size{&c.Limits.MessageSize})
	}
	return problems.err()
}

func (c *Config) checkKeys(problems *Problems) {
	if _, err := c.APIKeys(); err != nil {
		problems.add("%v", err)
	}
	options, err := c.Auth()
	if err != nil {
		problems.add("%v", err)
		return
	}
	if !hasKey(options) {
		if !c.Dev {
			problems.add("there is no way to verify tokens: set REALTIME_JWT_HMAC_SECRET (or REALTIME_JWT_HMAC_SECRET_FILE), " +
				"REALTIME_JWT_PUBLIC_KEY_FILE or REALTIME_JWKS_URL; to just try it, use serve --dev")
		}
		return
	}
	options.Log = slog.New(slog.DiscardHandler)
	options.Client = &http.Client{Transport: offline{}}
	verifier, err := auth.New(options)
	if err != nil {
		problems.add("tokens: %v", err)
		return
	}
	_ = verifier.Close() // it has nothing to fail with
}

func hasKey(o auth.Options) bool {
	return len(o.HMACSecret) > 0 || len(o.PublicKey) > 0 || o.JWKSURL != ""
}

// offline keeps a check from fetching keys.
type offline struct{}

func (offline) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("config: a check does not use the network")
}

// Auth returns the options of a verifier of tokens. It reads the files that
// hold the keys.
func (c *Config) Auth() (auth.Options, error) {
	secret, err := c.HMACSecret()
	if err != nil {
		return auth.Options{}, err
	}
	public, err := c.PublicKey()
	if err != nil {
		return auth.Options{}, err
	}
	leeway := c.JWT.Leeway
	if leeway == 0 {
		leeway = -1
	}
	return auth.Options{
		HMACSecret: []byte(secret),
		PublicKey:  public,
		JWKSURL:    c.JWT.JWKSURL,
		Algorithm:  c.JWT.Algorithm,
		Issuer:     c.JWT.Issuer,
		Audience:   c.JWT.Audience,
		Claims:     auth.ClaimNames(c.JWT.Claims),
		Leeway:     leeway,
	}, nil
}

func (c *Config) checkListeners(problems *Problems) {
	l := c.Listener
	switch {
	case (l.TLSCertFile == "") != (l.TLSKeyFile == ""):
		problems.add("tls_cert_file and tls_key_file belong together; set both or none")
	case l.TLSCertFile != "":
		if _, err := tls.LoadX509KeyPair(l.TLSCertFile, l.TLSKeyFile); err != nil {
			problems.add("tls_cert_file: %v", err)
		}
	}
	if c.Dev {
		c.checkDev(problems)
	}
}

// checkDev keeps dev mode, which gives tokens to whoever asks, on this machine.
func (c *Config) checkDev(problems *Problems) {
	for _, l := range []struct{ name, address string }{
		{"listen", c.Listener.Public}, {"admin_listen", c.Listener.Admin},
	} {
		if l.address != Off && !IsLoopback(l.address) {
			problems.add("%s: %q is not a loopback address; dev mode gives tokens to whoever asks, so it listens on 127.0.0.1 only",
				l.name, l.address)
		}
	}
	if c.JWT.Algorithm != "" && c.JWT.Algorithm != "HS256" && c.JWT.PublicKeyFile == "" && c.JWT.JWKSURL == "" {
		problems.add("jwt_algorithm: dev mode signs its tokens with HS256; leave the setting out")
	}
}

// IsLoopback reports whether an address host or host:port is on this machine by
// its form; no name but localhost is looked at.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}

func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && text == u.Scheme+"://"+u.Host
}
