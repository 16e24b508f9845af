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

	// SlowTopics are the policies of topics for slow clients.
	SlowTopics []realtime.TopicRule
	// Dev makes keys at start and serves a page to try the server.
	Dev bool
	// Compression offers permessage-deflate to clients.
	Compression bool

	origins map[string]string // the source of each setting
	places  map[string]string // file and line of each setting that is in the file
	file    string            // of the settings; empty: none
	loaded  digest            // of the content of the file
}

// Listener are the settings of the listeners.
type Listener struct {
	Public      string // host:port
	Admin       string // host:port, or Off
	TLSCertFile string // with TLSKeyFile: the public listener speaks TLS
	TLSKeyFile  string
	// ProxyProtocol requires a PROXY header on the connections of the public listener.
	ProxyProtocol bool
}

// Off, as the admin address, means that there is no admin listener.
const Off = "off"

// JWT are the settings for tokens.
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
	Lifetime       time.Duration // the longest life of a token
	Claims         ClaimNames
}

// ClaimNames are the claims that make an identity.
type ClaimNames struct {
	UserID, Role, Roles, Permissions, Topics, Email string
}

// Access are the settings for who may connect and who may send.
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

// Limits are the limits of connections.
type Limits struct {
	HeaderSize   int     // bytes
	MessageSize  int     // bytes
	Backlog      int     // bytes
	Topics       int     // subscriptions
	MessageRate  float64 // a second; 0 means no limit
	MessageBurst int

	Connections           int    // 0 means no limit
	ConnectionsPerUser    int    // 0 means no limit
	ConnectionsPerAddress int    // 0 means no limit
	Over                  string // OverReject, OverEvict, or empty for the default of each limit
}

// The policies for a connection over a limit.
const (
	OverReject = "reject"
	OverEvict  = "evict-oldest"
)

// Times are intervals and timeouts.
type Times struct {
	PingInterval time.Duration // 0 means no pings
	PongTimeout  time.Duration
	ExpiryGrace  time.Duration
	DrainDelay   time.Duration // from the signal until the drain
	Drain        time.Duration // 0 closes all at once
	Reload       time.Duration // between two reads of the files; 0 means only after a signal
}

// Log are the settings of the log.
type Log struct {
	Level  slog.Level
	Format string // one of LogAuto, LogText, LogLogfmt and LogJSON
}

// The log formats.
const (
	LogAuto   = "auto"   // LogText in a terminal, else LogJSON
	LogText   = "text"   // for people, in colour
	LogLogfmt = "logfmt" // key=value
	LogJSON   = "json"
)

// Secret is a string that is redacted when it is printed or logged.
type Secret string

// String returns a placeholder.
func (Secret) String() string { return "[redacted]" }

// GoString returns what String does.
func (s Secret) GoString() string { return s.String() }

// LogValue returns what String does, as a slog.Value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns what String does.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
