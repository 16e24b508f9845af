package config

import (
	"net"
	"strings"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/origin"
)

// Check returns the mistakes that keep a server from running with the settings. It reads
// the files that they name, but does not use the network. The error is Problems.
func (c *Config) Check() error {
	var problems Problems
	c.checkKeys(&problems)
	c.checkListeners(&problems)
	for _, entry := range c.Access.AllowedOrigins {
		if err := origin.CheckEntry(entry); err != nil {
			problems.add("allowed_origins: %v", err)
		}
	}
	if c.Limits.Backlog < c.Limits.MessageSize {
		problems.add("backlog (%v) is less than message_size (%v): a message of that size would not fit into it",
			size{&c.Limits.Backlog}, size{&c.Limits.MessageSize})
	}
	c.locate(problems)
	return problems.err()
}

// locate adds file and line to the problems of settings in the file. Each problem begins
// with the name of its setting.
func (c *Config) locate(problems Problems) {
	for i, problem := range problems {
		name := problem
		if end := strings.IndexAny(problem, ": "); end >= 0 {
			name = problem[:end]
		}
		problems[i] = c.places[name] + problem
	}
}

func (c *Config) checkKeys(problems *Problems) {
	if c.Dev {
		c.checkDevKeys(problems)
		return
	}
	c.checkAPIKeys(problems)
	options, err := c.Auth()
	if err != nil {
		problems.add("%v", err)
		return
	}
	if !HasKey(options) {
		problems.add("there is no way to verify tokens: set REALTIME_JWT_HMAC_SECRET (or REALTIME_JWT_HMAC_SECRET_FILE), " +
			"REALTIME_JWT_PUBLIC_KEY_FILE or REALTIME_JWKS_URL; to try the server, use serve --dev")
		return
	}
	c.checkVerifier(options, problems)
}

// HasKey reports whether o has a key, or the URL of a key set, to verify tokens.
func HasKey(o auth.Options) bool {
	return len(o.HMACSecret) > 0 || len(o.PublicKey) > 0 || o.JWKSURL != ""
}

// Auth returns the options of a verifier of tokens. It reads the key files.
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
		AllowHTTP:  c.JWT.JWKSAllowHTTP,
		Algorithm:  c.JWT.Algorithm,
		Issuer:     c.JWT.Issuer,
		Audience:   c.JWT.Audience,
		Claims:     auth.ClaimNames(c.JWT.Claims),
		Leeway:     leeway,
	}, nil
}

func (c *Config) checkListeners(problems *Problems) {
	l := c.Listener
	l.checkTLS(problems)
	if l.ProxyProtocol && len(c.Access.TrustedProxies) == 0 {
		problems.add("proxy_protocol: no proxy is trusted, so no client could connect; set trusted_proxies to the addresses of the proxies")
	}
	if c.Dev {
		c.checkDevListeners(problems)
		return
	}
	// checkKeys has reported keys that cannot be read.
	if keys, err := c.APIKeys(); err == nil && len(keys) == 0 && l.Admin != Off && !IsLoopback(l.Admin) {
		problems.add("admin_listen: %q is not a loopback address, and then metrics and profiles need an API key; "+
			"set REALTIME_API_KEY or REALTIME_API_KEY_FILE, or listen on 127.0.0.1", l.Admin)
	}
}

// checkDevKeys refuses keys in dev mode, which shows its keys to every program on the
// machine.
func (c *Config) checkDevKeys(problems *Problems) {
	var given []string
	for _, name := range []string{
		"jwt_hmac_secret", "jwt_hmac_secret_file", "jwt_public_key_file", "jwks_url", "api_key", "api_key_file",
	} {
		if s, known := findSetting(name); known && s.field(c).String() != "" {
			given = append(given, s.env())
		}
	}
	if len(given) > 0 {
		problems.add("dev mode makes its own keys and gives them to every program on this machine: unset %s, or leave out --dev (REALTIME_DEV)",
			strings.Join(given, ", "))
	}
	if c.JWT.Algorithm != "" && c.JWT.Algorithm != "HS256" {
		problems.add("jwt_algorithm: dev mode signs its tokens with HS256; leave out the setting")
	}
}

// checkDevListeners refuses addresses that other machines can reach.
func (c *Config) checkDevListeners(problems *Problems) {
	for _, l := range []struct{ name, address string }{
		{"listen", c.Listener.Public}, {"admin_listen", c.Listener.Admin},
	} {
		if l.address != Off && !IsLoopback(l.address) {
			problems.add("%s: %q is not a loopback address; dev mode gives tokens to every program on this machine, so it listens on 127.0.0.1 only",
				l.name, l.address)
		}
	}
}

// IsLoopback reports whether an address host or host:port is localhost or a loopback
// address. It does not resolve other names.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}
