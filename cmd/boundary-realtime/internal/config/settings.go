package config

import (
	"strings"
	"time"
)

// setting is one row of the table from which the flags, the variables, the keys
// of the file and their documentation are made.
type setting struct {
	name   string
	preset string // the default, written as a user would write it
	help   string
	field  func(*Config) value
}

// secret reports whether the setting may be given as a flag.
func (s setting) secret() bool {
	switch s.field(new(Config)).(type) {
	case secretText, secretList:
		return true
	}
	return false
}

const envPrefix = "REALTIME_"

func (s setting) env() string  { return envPrefix + strings.ToUpper(s.name) }
func (s setting) flag() string { return strings.ReplaceAll(s.name, "_", "-") }

const day = 24 * time.Hour

var settings = []setting{
	{"listen", "127.0.0.1:8080", "Address of the public listener", func(c *Config) value { return address{&c.Listener.Public, false} }},
	{"admin_listen", "127.0.0.1:8081", "Address of the listener for metrics and profiles, or off; other than on loopback it asks for an API key", func(c *Config) value { return address{&c.Listener.Admin, true} }},
	{"tls_cert_file", "", "Certificate chain (PEM) of the public listener", func(c *Config) value { return text{&c.Listener.TLSCertFile} }},
	{"tls_key_file", "", "Private key (PEM) of the public listener", func(c *Config) value { return text{&c.Listener.TLSKeyFile} }},
	{"proxy_protocol", "false", "Take connections of the public listener from trusted_proxies only, each with a PROXY header (version 1 or 2) that holds the client's address", func(c *Config) value { return toggle{&c.Listener.ProxyProtocol} }},
	{"compression", "false", "Offer permessage-deflate to clients", func(c *Config) value { return toggle{&c.Compression} }},
	{"dev", "false", "Make keys at start and serve a page to try it; loopback only, never for production", func(c *Config) value { return toggle{&c.Dev} }},

	{"jwt_hmac_secret", "", "Secret that verifies HS256 tokens, 32 bytes or more", func(c *Config) value { return secretText{&c.JWT.HMACSecret} }},
	{"jwt_hmac_secret_file", "", "File that holds the secret that verifies HS256 tokens", func(c *Config) value { return text{&c.JWT.HMACSecretFile} }},
	{"jwt_public_key_file", "", "Public key or certificate (PEM) that verifies tokens", func(c *Config) value { return text{&c.JWT.PublicKeyFile} }},
	{"jwks_url", "", "Where the issuer publishes its keys: https, or http on loopback; redirects are not followed", func(c *Config) value { return link{&c.JWT.JWKSURL} }},
	{"jwks_allow_http", "false", "Take a jwks_url with http from any host, for an issuer in the same cluster: a program that can change that traffic can forge every token", func(c *Config) value { return toggle{&c.JWT.JWKSAllowHTTP} }},
	{"jwt_algorithm", "", "Algorithm of the tokens where the key leaves it open, such as PS256", func(c *Config) value { return text{&c.JWT.Algorithm} }},
	{"jwt_issuer", "", "What the claim iss must be", func(c *Config) value { return text{&c.JWT.Issuer} }},
	{"jwt_audience", "", "What the claim aud must be or hold", func(c *Config) value { return text{&c.JWT.Audience} }},
	{"jwt_leeway", "30s", "How far the issuer's clock may be off", func(c *Config) value { return duration{&c.JWT.Leeway, 0, time.Hour} }},
	{"jwt_lifetime", "24h", "Longest life of the tokens; a revocation is kept so long, and an hour more", func(c *Config) value { return duration{&c.JWT.Lifetime, time.Second, 366 * day} }},
	{"jwt_claim_user_id", "sub", "Claim that holds the user id: a string or an integer", func(c *Config) value { return text{&c.JWT.Claims.UserID} }},
	{"jwt_claim_role", "role", "Claim that holds roles, read as jwt_claim_roles is; both count", func(c *Config) value { return text{&c.JWT.Claims.Role} }},
	{"jwt_claim_roles", "roles", "Claim that holds the roles: a string, a list, or an object with a name for each; a dotted path reaches into objects", func(c *Config) value { return text{&c.JWT.Claims.Roles} }},
	{"jwt_claim_permissions", "permissions", "Claim that holds the permissions: a string or a list; scope and scp are split at spaces", func(c *Config) value { return text{&c.JWT.Claims.Permissions} }},
	{"jwt_claim_topics", "topics", "Claim that holds patterns of topics a client may subscribe to", func(c *Config) value { return text{&c.JWT.Claims.Topics} }},
	{"jwt_claim_email", "email", "Claim that holds the email address", func(c *Config) value { return text{&c.JWT.Claims.Email} }},

	{"api_key", "", "Keys of the HTTP API, 16 bytes or more each, several separated by commas; none: it is disabled", func(c *Config) value { return secretList{&c.Access.APIKeys} }},
	{"api_key_file", "", "File that holds the keys of the HTTP API, 16 bytes or more each, one a line", func(c *Config) value { return text{&c.Access.APIKeyFile} }},
	{"allowed_origins", "", "Origins that browsers may connect from beside the server's own, such as https://app.example.com or capacitor://localhost", func(c *Config) value { return list{&c.Access.AllowedOrigins} }},
	{"trusted_proxies", "", "Addresses or networks (10.0.0.0/8) of the proxies whose X-Forwarded-For, -Proto and -Host are believed; none: the address is the peer's", func(c *Config) value { return networks{&c.Access.TrustedProxies} }},
	{"token_param", "token", "Query parameter that holds the token", func(c *Config) value { return text{&c.Access.TokenParam} }},
	{"token_sources", "", "Places of a token that count, in order: query, header, subprotocol; empty: all, and two tokens are refused", func(c *Config) value { return places{&c.Access.TokenSources} }},
	{"token_in_message", "false", "Let clients connect without a token, and bring it as their first message within 5 s", func(c *Config) value { return toggle{&c.Access.TokenInMessage} }},
	{"required_roles", "", "Roles of which a user must have one to connect", func(c *Config) value { return list{&c.Access.RequiredRoles} }},
	{"required_permissions", "", "Permissions which a user must all have to connect", func(c *Config) value { return list{&c.Access.RequiredPermissions} }},

	{"header_size", "16KiB", "Longest header of an HTTP request, 8KiB to 1MiB; cookies and tokens in the URL count", func(c *Config) value {
		return sizeWithin{size{&c.Limits.HeaderSize}, 8 << 10, 1 << 20}
	}},
	{"message_size", "64KiB", "Longest message, from clients and to them", func(c *Config) value { return size{&c.Limits.MessageSize} }},
	{"backlog", "1MiB", "What may wait for a client that does not read, before it is closed with 4008", func(c *Config) value { return size{&c.Limits.Backlog} }},
	{"topics_per_connection", "128", "Topics that a connection may be subscribed to", func(c *Config) value { return number{&c.Limits.Topics} }},
	{"message_rate", "1000", "Messages a second that a client may send in the long run, each counted as one for every 512 bytes begun; 0: any number", func(c *Config) value { return rate{&c.Limits.MessageRate} }},
	{"message_burst", "2000", "Messages that a client may send at once", func(c *Config) value { return number{&c.Limits.MessageBurst} }},
	{"slow_topics", "", "What to do with messages of a topic when a client does not keep up, as topic=policy: disconnect (the default), drop-oldest or latest-only; a topic may end in *", func(c *Config) value { return policies{&c.SlowTopics} }},
	{"connections", "0", "Connections that this node takes; 0: any number", func(c *Config) value { return count{&c.Limits.Connections} }},
	{"connections_per_user", "0", "Connections of one user that this node takes; 0: any number", func(c *Config) value { return count{&c.Limits.ConnectionsPerUser} }},
	{"connections_per_address", "0", "Connections from one network address (of IPv6: one /64) that this node takes; 0: any number", func(c *Config) value { return count{&c.Limits.ConnectionsPerAddress} }},
	{"connections_over", "", "What happens to a connection over the limit of its user or address: reject it, or evict-oldest; empty: evict-oldest of a user, reject from an address", func(c *Config) value {
		return choice{&c.Limits.Over, []string{OverReject, OverEvict}}
	}},

	{"ping_interval", "25s", "Time between pings; 0s: none", func(c *Config) value { return duration{&c.Times.PingInterval, 0, day} }},
	{"pong_timeout", "10s", "How long a client may take to answer a ping", func(c *Config) value { return duration{&c.Times.PongTimeout, time.Millisecond, day} }},
	{"expiry_grace", "25s", "How long a connection outlives its token", func(c *Config) value { return duration{&c.Times.ExpiryGrace, 0, day} }},
	{"drain_delay", "5s", "How long everything is served at shutdown, with /ready red, before the connections are closed; in dev mode 0s", func(c *Config) value { return duration{&c.Times.DrainDelay, 0, time.Hour} }},
	{"drain", "30s", "How long the connections may take to move away at shutdown, after drain_delay", func(c *Config) value { return duration{&c.Times.Drain, 0, time.Hour} }},
	{"reload_interval", "2s", "Time between looks at the configuration file and the files it names, for changes to take over; 0s: only on SIGHUP", func(c *Config) value { return duration{&c.Times.Reload, 0, day} }},

	{"log_level", "info", "Least level that is logged: debug, info, warn or error", func(c *Config) value { return level{&c.Log.Level} }},
	{"log_format", LogAuto, "Form of the log: text, logfmt or json; auto: text in a terminal, else json", func(c *Config) value {
		return choice{&c.Log.Format, []string{LogAuto, LogText, LogLogfmt, LogJSON}}
	}},
}

// The variables that are no settings of the server, but of other commands.
const (
	EnvConfig = envPrefix + "CONFIG"  // path of the YAML file
	EnvAPIURL = envPrefix + "API_URL" // of the commands that call the HTTP API
	EnvURL    = envPrefix + "URL"     // of tail
	EnvToken  = envPrefix + "TOKEN"   // of tail and token inspect
)

func findSetting(name string) (setting, bool) {
	for _, s := range settings {
		if s.name == name {
			return s, true
		}
	}
	return setting{}, false
}
