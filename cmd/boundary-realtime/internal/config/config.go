package config

import (
	"log/slog"
	"net/netip"
	"time"

	"boundary-app.org/realtime"
)

// Config is the effective configuration of one run.
type Config struct {
	Listener Listener
	JWT      JWT
	Access   Access
	Limits   Limits
	Times    Times
	Log      Log

	// SlowTopics say what to do with messages of topics when a client does not keep up.
	SlowTopics []realtime.TopicRule
	// Dev makes keys at start and serves the page to try it.
	Dev bool
	// Compression offers permessage-deflate to clients.
	Compression bool

	origins map[string]string // of each setting: where its value came from
	places  map[string]string // of each setting: where it stands in the file, if there
	file    string            // of the settings; empty: none
	loaded  digest            // of what the file held
}

// Listener is where the program listens.
type Listener struct {
	Public      string // host:port
	Admin       string // host:port, or Off
	TLSCertFile string // with TLSKeyFile: the public listener speaks TLS
	TLSKeyFile  string
	// ProxyProtocol expects a PROXY header on the connections of the public listener.
	ProxyProtocol bool
}

// Off, as the admin address, means that there is no admin listener.
const Off = "off"

// JWT says which tokens are good.
type JWT struct {
	HMACSecret     Secret
	HMACSecretFile string
	PublicKeyFile  string
	JWKSURL        string
	JWKSAllowHTTP  bool
	Algorithm      string
	Issuer         string
	Audience       string
	Leeway         time.Duration
	Lifetime       time.Duration // of tokens, at the longest
	Claims         ClaimNames
}

// ClaimNames are the claims that make an identity.
type ClaimNames struct {
	UserID, Role, Roles, Permissions, Topics, Email string
}

// Access says who may connect and who may send.
type Access struct {
	APIKeys             []Secret
	APIKeyFile          string
	AllowedOrigins      []string
	RequiredRoles       []string
	RequiredPermissions []string
	TokenParam          string
	TokenSources        []realtime.TokenSource
	TokenInMessage      bool
	TrustedProxies      []netip.Prefix
}

// Limits bound what connections may use.
type Limits struct {
	HeaderSize   int     // bytes
	MessageSize  int     // bytes
	Backlog      int     // bytes
	Topics       int     // subscriptions
	MessageRate  float64 // a second; 0: any number
	MessageBurst int

	Connections           int    // 0: any number
	ConnectionsPerUser    int    // 0: any number
	ConnectionsPerAddress int    // 0: any number
	Over                  string // OverReject, OverEvict, or empty for the default of each limit
}

// What is done about a connection too many.
const (
	OverReject = "reject"
	OverEvict  = "evict-oldest"
)

// Times are the durations of a connection's life.
type Times struct {
	PingInterval time.Duration // 0: no pings
	PongTimeout  time.Duration
	ExpiryGrace  time.Duration
	DrainDelay   time.Duration // from the signal until the drain
	Drain        time.Duration // 0: all at once
	Reload       time.Duration // between looks at the files; 0: only when a signal asks
}

// Log says what is logged and how.
type Log struct {
	Level  slog.Level
	Format string // LogAuto and so on
}

// The log formats.
const (
	LogAuto   = "auto"   // LogText in a terminal, else LogJSON
	LogText   = "text"   // for people, in colour
	LogLogfmt = "logfmt" // key=value
	LogJSON   = "json"
)

// Secret is a text that does not show itself when it is printed or logged.
type Secret string

// String returns a text that stands for the secret.
func (Secret) String() string { return "[redacted]" }

// GoString returns what String does.
func (s Secret) GoString() string { return s.String() }

// LogValue returns what String does, as a slog.Value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String does.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
