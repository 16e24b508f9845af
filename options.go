package realtime

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/metrics"
	"boundary-app.org/realtime/internal/origin"
	"boundary-app.org/realtime/wire"
)

// Options configure a Service. The zero value is a service of one node that
// refuses every token, for lack of a Verifier.
type Options struct {
	// Verifier turns a client's token into an identity. Without one, Handler
	// answers 500 to every client; Connect with an identity works.
	Verifier Verifier
	// Bus joins services into a cluster. Default: a bus of this service alone.
	Bus bus.Bus
	// Log gets what an operator should know. Default: slog.Default.
	Log *slog.Logger
	// Limits bound what connections may use.
	Limits Limits
	// Topics say what to do with the messages of topics to clients that do
	// not keep up. The first rule that matches counts; without one it is Disconnect.
	Topics []TopicRule
	// PingInterval is the time between pings; PongTimeout is how long any whole
	// frame from the client may then take. Defaults: 25 s and 10 s. A negative
	// PingInterval turns pings off.
	PingInterval time.Duration
	PongTimeout  time.Duration
	// ExpiryGrace is how long a connection outlives its token, before it is
	// closed with 4005. What is left of the token's life is measured when it is
	// accepted: later steps of the wall clock do not count. Default: 25 s;
	// negative: none.
	ExpiryGrace time.Duration
	// TokenLifetime is the longest life of the tokens that your issuer makes: a
	// revocation is kept so long, and an hour more, unless it says otherwise. What
	// accepted tokens say counts where it is longer. Default: 24 h.
	TokenLifetime time.Duration
	// TokenLeeway is how far the issuer's clock may be off, as the Verifier allows
	// for: a revocation of a user covers what was issued until so much later, but
	// 30 s at the least. Default: 30 s.
	TokenLeeway time.Duration
	// DrainDelay is how long Shutdown serves everything as before, with Ready
	// false, before it drains: long enough for the probes of every load balancer
	// to fail. Default: none.
	DrainDelay time.Duration
	// DrainWindow is the time over which Shutdown spreads its closes at the
	// longest, after DrainDelay. Default: 30 s.
	DrainWindow time.Duration
	// Shards is the number of loops. Default: one per processor the program may use.
	Shards int
}

// closeTimeout is how long a client may take to answer a close frame.
const closeTimeout = 5 * time.Second

// inboxLimit is how many bytes may wait for one loop before senders wait.
const inboxLimit = 64 << 20

func (o Options) withDefaults() (Options, error) {
	if o.Bus == nil {
		o.Bus = bus.NewMemory()
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	o.Limits = o.Limits.withDefaults()
	setDefault(&o.PingInterval, 25*time.Second)
	setDefault(&o.PongTimeout, 10*time.Second)
	setDefault(&o.ExpiryGrace, 25*time.Second)
	setDefault(&o.TokenLifetime, 24*time.Hour)
	setDefault(&o.TokenLeeway, 30*time.Second)
	setDefault(&o.DrainWindow, 30*time.Second)
	o.PingInterval = max(o.PingInterval, 0)
	o.ExpiryGrace = max(o.ExpiryGrace, 0)
	return o, o.check()
}

func (o Options) check() error {
	if err := o.Limits.check(); err != nil {
		return err
	}
	err := checkNotNegative([]option{
		{"PongTimeout", int(o.PongTimeout)},
		{"TokenLifetime", int(o.TokenLifetime)},
		{"TokenLeeway", int(o.TokenLeeway)},
		{"DrainDelay", int(o.DrainDelay)},
		{"DrainWindow", int(o.DrainWindow)},
	})
	if err != nil {
		return err
	}
	for _, rule := range o.Topics {
		if err := rule.Check(); err != nil {
			return fmt.Errorf("realtime: Topics: %w", err)
		}
	}
	return nil
}

func (o Options) engine(set *metrics.Set, node bus.NodeID, interest engine.Interest) engine.Config {
	return engine.Config{
		Node:         node,
		Interest:     interest,
		Shards:       o.Shards,
		MaxMessage:   o.Limits.MessageSize,
		MaxBacklog:   o.Limits.Backlog,
		MaxInbox:     inboxLimit,
		PingInterval: o.PingInterval,
		PongTimeout:  o.PongTimeout,
		CloseTimeout: closeTimeout,
		ExpiryGrace:  o.ExpiryGrace,
		Limits:       o.Limits.engine(),
		Topics:       engineRules(o.Topics),
		Metrics:      set,
		Log:          o.Log,
		PingText:     wire.ServerPing{}.Encode(),
	}
}

// Identity is who a connection speaks for.
type Identity = auth.Identity

// Verifier turns a token into an identity.
type Verifier = auth.Verifier

// TokenSource is a place in a request that may hold a token.
type TokenSource = auth.TokenSource

// The places in a request that may hold a token, see HandlerOptions.TokenSources.
const (
	// TokenInQuery is the query parameter HandlerOptions.TokenParam.
	TokenInQuery = auth.TokenInQuery
	// TokenInHeader is the header "Authorization: Bearer <token>".
	TokenInHeader = auth.TokenInHeader
	// TokenInSubprotocol is "Sec-WebSocket-Protocol: boundary.realtime.v1, bearer.<token>".
	TokenInSubprotocol = auth.TokenInSubprotocol
)

// HandlerOptions configure a Handler, or what Connect does with a client.
type HandlerOptions struct {
	// TokenParam is the query parameter that holds the token. Default: "token".
	TokenParam string
	// TokenSources are the places of a request that count, in order: the token is in
	// the first that has one, and what stands in the others is ignored, such as the
	// Authorization header of a proxy. Default: all places count, and two tokens are
	// refused with 400.
	TokenSources []TokenSource
	// TokenInMessage lets a client without a token connect, and bring it as its
	// first message, {"action":"connect","token":"..."}, within 5 s, so that it
	// stands in no URL and no header. Until then it is no connection: it hears
	// nothing, and ServeHTTP waits; a service has at most 2,048 such clients, of
	// which 512 may come from one network address (of IPv6: one /64). Default: off.
	TokenInMessage bool
	// AllowedOrigins are the values of the Origin header that browsers may connect
	// from, beside the origin that the request itself is for:
	// "https://app.example.com", or that of a native shell or an extension, such as
	// "capacitor://localhost". They are compared exactly: there are no patterns, and
	// "null" allows nothing. The schemes ws and wss count as http and https, since
	// some native clients send them. Default: the request's own origin alone.
	AllowedOrigins []string
	// TrustedProxies are the networks of the proxies before this service. Of them
	// X-Forwarded-For is believed where clients of an address are counted (see
	// TokenInMessage and Limits.ConnectionsPerAddress), X-Forwarded-Proto and
	// X-Forwarded-Host where the request's own origin is compared. An IPv4 network
	// may be written as one of IPv6 (::ffff:10.0.0.0/104). Default: none; the address
	// is the one at the other end of the connection.
	TrustedProxies []netip.Prefix
	// Require refuses identities that lack a right, with 403.
	Require auth.Requirements
	// AuthorizeTopic decides whether a client may subscribe itself to a topic
	// that its token does not grant: nil allows. Without it, only the token's
	// topics are allowed. The error's text stays on the server.
	AuthorizeTopic func(ctx context.Context, c *Conn, topic string) error
	// Compression offers permessage-deflate (RFC 7692). Messages are compressed
	// once for all receivers, each on its own. A client whose token follows
	// (TokenInMessage) is not offered it. Off by default: it costs time, and memory
	// while it works.
	Compression bool

	// OnOpen runs once the connection is registered, before its client is told.
	// It is the place to subscribe it, and to refuse it with the error of Refuse.
	// Another error or a panic is logged, and the connection lives on.
	OnOpen func(ctx context.Context, c *Conn) error
	// OnMessage takes what the client sends, text or binary, that is not one of
	// the protocol's commands; text over 16 KiB is none. Data belongs to the callee.
	// A panic closes the connection with 1011. Default: the client gets an error for
	// a JSON object that is no command and for text over 16 KiB; all else is ignored.
	OnMessage func(ctx context.Context, c *Conn, data []byte)
	// OnBinary takes the binary messages in place of OnMessage, which then gets text
	// alone. The two never run at the same time for one connection. Default: both
	// kinds go to OnMessage.
	OnBinary func(ctx context.Context, c *Conn, data []byte)
	// OnClose runs once, last, with the code the connection ended with: the
	// client's, ours, or 1006 when it broke. It runs for every connection whose OnOpen
	// has run, also for one that it refused.
	OnClose func(ctx context.Context, c *Conn, code CloseCode, reason string)
}

func (o HandlerOptions) withDefaults() HandlerOptions {
	setDefault(&o.TokenParam, "token")
	o.TrustedProxies = origin.NewProxies(o.TrustedProxies)
	return o
}
