package config

import (
	"strings"
	"time"
)

// setting is one row of the table of settings. Flags, variables, keys of the file and
// their documentation come from it.
type setting struct {
	name   string
	preset string // the default, as a user writes it
	help   string
	field  func(*Config) value
}

// secret reports whether the setting is a secret, which has no flag.
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
	{"admin_listen", "127.0.0.1:8081", "Address of the listener for metrics and profiles, or off; on any address but loopback it requires an API key", func(c *Config) value { return address{&c.Listener.Admin, true} }},
	{"tls_cert_file", "", "Certificate chain (PEM) of the public listener", func(c *Config) value { return text{&c.Listener.TLSCertFile} }},
	{"tls_key_file", "", "Private key (PEM) of the public listener", func(c *Config) value { return text{&c.Listener.TLSKeyFile} }},
	{"proxy_protocol", "false", "Accept connections of the public listener only from trusted_proxies, each with a PROXY header (version 1 or 2) with the client's address", func(c *Config) value { return toggle{&c.Listener.ProxyProtocol} }},
	{"compression", "false", "Offer permessage-deflate to clients", func(c *Config) value { return toggle{&c.Compression} }},
	{"dev", "false", "Make keys at start and serve a page to try the server; only on loopback, never for production", func(c *Config) value { return toggle{&c.Dev} }},

	{"jwt_hmac_secret", "", "Secret that verifies HS256 tokens, 32 bytes or more", func(c *Config) value { return secretText{&c.JWT.HMACSecret} }},
	{"jwt_hmac_secret_file", "", "File with the secret that verifies HS256 tokens", func(c *Config) value { return text{&c.JWT.HMACSecretFile} }},
	{"jwt_public_key_file", "", "Public key or certificate (PEM) that verifies tokens", func(c *Config) value { return text{&c.JWT.PublicKeyFile} }},
	{"jwks_url", "", "URL of the issuer's key set: https, or http on loopback; redirects are not followed", func(c *Config) value { return link{&c.JWT.JWKSURL} }},
	{"jwks_allow_http", "false", "Allow http in jwks_url for any host, for an issuer in the same cluster: a program that can change that traffic can forge every token", func(c *Config) value { return toggle{&c.JWT.JWKSAllowHTTP} }},
	{"jwt_algorithm", "", "Algorithm of the tokens, such as PS256, if it does not follow from the key", func(c *Config) value { return text{&c.JWT.Algorithm} }},
	{"jwt_issuer", "", "Required value of the claim iss", func(c *Config) value { return text{&c.JWT.Issuer} }},
	{"jwt_audience", "", "Required value of the claim aud, or of one of its entries", func(c *Config) value { return text{&c.JWT.Audience} }},
	{"jwt_leeway", "30s", "Largest difference between the clocks of issuer and server", func(c *Config) value { return duration{&c.JWT.Leeway, 0, time.Hour} }},
	{"jwt_lifetime", "24h", "Longest life of the tokens; a revocation is kept for this time plus one hour", func(c *Config) value { return duration{&c.JWT.Lifetime, time.Second, 366 * day} }},
	{"jwt_claim_user_id", "sub", "Claim with the user id: a string or an integer", func(c *Config) value { return text{&c.JWT.Claims.UserID} }},
	{"jwt_claim_role", "role", "Claim with roles, read like jwt_claim_roles; both count", func(c *Config) value { return text{&c.JWT.Claims.Role} }},
	{"jwt_claim_roles", "roles", "Claim with the roles: a string, a list, or an object keyed by role; a dotted path names a claim in an object", func(c *Config) value { return text{&c.JWT.Claims.Roles} }},
	{"jwt_claim_permissions", "permissions", "Claim with the permissions: a string or a list; scope and scp are split at spaces", func(c *Config) value { return text{&c.JWT.Claims.Permissions} }},
	{"jwt_claim_topics", "topics", "Claim with the patterns of topics that a client may subscribe to", func(c *Config) value { return text{&c.JWT.Claims.Topics} }},
	{"jwt_claim_email", "email", "Claim with the email address", func(c *Config) value { return text{&c.JWT.Claims.Email} }},

	{"api_key", "", "Keys of the HTTP API, 16 bytes or more each, separated by commas; without a key the API is disabled", func(c *Config) value { return secretList{&c.Access.APIKeys} }},
	{"api_key_file", "", "File with the keys of the HTTP API, 16 bytes or more each, one per line", func(c *Config) value { return text{&c.Access.APIKeyFile} }},
	{"allowed_origins", "", "Origins that browsers may connect from, besides the server's own, such as https://app.example.com or capacitor://localhost", func(c *Config) value { return list{&c.Access.AllowedOrigins} }},
	{"trusted_proxies", "", "Addresses or networks (10.0.0.0/8) of the proxies whose X-Forwarded-For, -Proto and -Host are used; without proxies the address is the peer's", func(c *Config) value { return networks{&c.Access.TrustedProxies} }},
	{"token_param", "token", "Query parameter with the token", func(c *Config) value { return text{&c.Access.TokenParam} }},
	{"token_sources", "", "Places of the token, in order: query, header, subprotocol; the first with a token decides; empty means all, and two tokens are refused", func(c *Config) value { return places{&c.Access.TokenSources} }},
	{"token_in_message", "false", "Let clients connect without a token and send it as their first message, within 5 s", func(c *Config) value { return toggle{&c.Access.TokenInMessage} }},
	{"required_roles", "", "Roles, one of which a user must have to connect", func(c *Config) value { return list{&c.Access.RequiredRoles} }},
	{"required_permissions", "", "Permissions, all of which a user must have to connect", func(c *Config) value { return list{&c.Access.RequiredPermissions} }},

	{"header_size", "16KiB", "Longest header of an HTTP request, 8KiB to 1MiB; cookies and tokens in the URL count", func(c *Config) value {
		return sizeWithin{size{&c.Limits.HeaderSize}, 8 << 10, 1 << 20}
	}},
	{"message_size", "64KiB", "Longest message, from clients and to them", func(c *Config) value { return size{&c.Limits.MessageSize} }},
	{"backlog", "1MiB", "Largest amount of waiting messages of a client that does not read, before it is closed with 4008", func(c *Config) value { return size{&c.Limits.Backlog} }},
	{"topics_per_connection", "128", "Largest number of topics of a connection", func(c *Config) value { return number{&c.Limits.Topics} }},
	{"message_rate", "1000", "Messages per second that a client may send in the long run, each counted once for each 512 bytes or part of it; 0 means no limit", func(c *Config) value { return rate{&c.Limits.MessageRate} }},
	{"message_burst", "2000", "Messages that a client may send at once", func(c *Config) value { return number{&c.Limits.MessageBurst} }},
	{"slow_topics", "", "Policies for messages to slow clients, as topic=policy: disconnect (the default), drop-oldest or latest-only; a topic may end in *", func(c *Config) value { return policies{&c.SlowTopics} }},
	{"connections", "0", "Largest number of connections of this node; 0 means no limit", func(c *Config) value { return count{&c.Limits.Connections} }},
	{"connections_per_user", "0", "Largest number of connections of a user, on this node; 0 means no limit", func(c *Config) value { return count{&c.Limits.ConnectionsPerUser} }},
	{"connections_per_address", "0", "Largest number of connections from an address (IPv6: from a /64), on this node; 0 means no limit", func(c *Config) value { return count{&c.Limits.ConnectionsPerAddress} }},
	{"connections_over", "", "Policy for a connection over the limit of its user or address: reject the new one, or evict-oldest; empty means evict-oldest for a user and reject for an address", func(c *Config) value {
		return choice{&c.Limits.Over, []string{OverReject, OverEvict}}
	}},

	{"ping_interval", "25s", "Time between pings; 0s means no pings", func(c *Config) value { return duration{&c.Times.PingInterval, 0, day} }},
	{"pong_timeout", "10s", "Longest time until a client answers a ping", func(c *Config) value { return duration{&c.Times.PongTimeout, time.Millisecond, day} }},
	{"expiry_grace", "25s", "Time from the expiry of a token until its connection is closed", func(c *Config) value { return duration{&c.Times.ExpiryGrace, 0, day} }},
	{"drain_delay", "5s", "Time at shutdown in which everything is served and only /ready answers 503, before the connections are closed; in dev mode 0s", func(c *Config) value { return duration{&c.Times.DrainDelay, 0, time.Hour} }},
	{"drain", "30s", "Longest time for closing the connections at shutdown, after drain_delay", func(c *Config) value { return duration{&c.Times.Drain, 0, time.Hour} }},
	{"reload_interval", "2s", "Time between two reads of the configuration file and the files it names, to find changes; 0s means only on SIGHUP", func(c *Config) value { return duration{&c.Times.Reload, 0, day} }},

	{"log_level", "info", "Lowest level that is logged: debug, info, warn or error", func(c *Config) value { return level{&c.Log.Level} }},
	{"log_format", LogAuto, "Format of the log: text, logfmt or json; auto means text in a terminal, else json", func(c *Config) value {
		return choice{&c.Log.Format, []string{LogAuto, LogText, LogLogfmt, LogJSON}}
	}},
}

// The environment variables that are not settings of the server.
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
