package config

import (
	"net"
	"strings"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/internal/origin"
)

// Check tells whether a server can run with the settings: it reads the files
// they name, but asks nothing of the network. The error is Problems.
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
		problems.add("backlog (%v) is less than message_size (%v): no message of that size could wait",
			size{&c.Limits.Backlog}, size{&c.Limits.MessageSize})
	}
	c.locate(problems)
	return problems.err()
}

// locate puts the place in the file before the problems with settings that stand
// there. Each begins with the name of its setting.
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
			"REALTIME_JWT_PUBLIC_KEY_FILE or REALTIME_JWKS_URL; to just try it, use serve --dev")
		return
	}
	c.checkVerifier(options, problems)
}

// HasKey reports whether there is a key, or a place to get keys from, to verify
// tokens with.
func HasKey(o auth.Options) bool {
	return len(o.HMACSecret) > 0 || len(o.PublicKey) > 0 || o.JWKSURL != ""
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
		problems.add("proxy_protocol: no proxy is trusted, and so no client could connect; set trusted_proxies to the addresses of the proxies")
	}
	if c.Dev {
		c.checkDevListeners(problems)
		return
	}
	// Keys that cannot be read are a problem told already.
	if keys, err := c.APIKeys(); err == nil && len(keys) == 0 && l.Admin != Off && !IsLoopback(l.Admin) {
		problems.add("admin_listen: %q is not a loopback address, and metrics and profiles are shown to the holders of an API key only; "+
			"set REALTIME_API_KEY or REALTIME_API_KEY_FILE, or listen on 127.0.0.1", l.Admin)
	}
}

// checkDevKeys keeps keys that count elsewhere away from dev mode, which shows
// its keys to every program on the machine.
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
		problems.add("dev mode makes its own keys and gives them to every program on this machine: unset %s, or leave --dev (REALTIME_DEV) out",
			strings.Join(given, ", "))
	}
	if c.JWT.Algorithm != "" && c.JWT.Algorithm != "HS256" {
		problems.add("jwt_algorithm: dev mode signs its tokens with HS256; leave the setting out")
	}
}

// checkDevListeners keeps dev mode on this machine.
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

// IsLoopback reports whether an address host or host:port is on this machine by
// its form; no name but localhost is looked at.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}
