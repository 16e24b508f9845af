package edge

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	"boundary-app.org/realtime/internal/loglimit"
	"boundary-app.org/realtime/internal/origin"
)

// Options are the limits of a Listener.
type Options struct {
	// HeaderSize is the longest header of a request in bytes. It must be more than 4096.
	HeaderSize int
	// HeaderTimeout is the longest time until the header of a request has arrived.
	HeaderTimeout time.Duration
	// AnswerTime is the longest time until the client takes written bytes. A connection
	// on which they wait longer is reset, at the earliest after half of the time.
	AnswerTime time.Duration
	// Proxies are the peers that may connect, each with a PROXY header (version 1 or 2)
	// before the client's first byte. Connections from other peers are closed. Nil means
	// that all peers may connect, without such a header.
	Proxies origin.Proxies
	// Figures count refused requests and connections.
	Figures *Figures
	// Log gets a line, limited in rate, for each of them.
	Log *slog.Logger
}

// Listener accepts connections and limits what their clients can hold.
type Listener struct {
	net.Listener
	opts Options         // static
	log  *loglimit.Kinds // static; by the reason of a refusal
}

// NewListener wraps a listener.
func NewListener(inner net.Listener, opts Options) *Listener {
	return &Listener{Listener: inner, opts: opts, log: loglimit.NewKinds(opts.Log)}
}

// report counts and logs a refused request or connection. The reason is one of
// those of Figures.
func (l *Listener) report(level slog.Level, reason, text, address string, attrs ...any) {
	l.opts.Figures.refusals.WithLabelValues(reason).Inc()
	attrs = append([]any{"reason", reason, "address", address}, attrs...)
	l.log.Of(reason).Log(context.Background(), level, text, attrs...)
}

// Accept waits for the next connection of a peer that may connect.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.opts.Proxies == nil || trusts(l.opts.Proxies, accepted) {
			return l.watch(accepted), nil
		}
		_ = accepted.Close()
		l.report(slog.LevelWarn, untrustedPeer,
			"a connection was refused: proxy_protocol is on, and the peer is not in trusted_proxies",
			accepted.RemoteAddr().String())
	}
}

// Watch sets the limits of a server and makes it report its requests. The handler of the
// server must be set; the server must serve the Listener, or TLS on top of it.
func (l *Listener) Watch(s *http.Server) {
	s.ReadHeaderTimeout = l.opts.HeaderTimeout
	s.MaxHeaderBytes = l.opts.HeaderSize - slop
	s.ErrorLog = newErrorLog(l.opts.Log)
	s.ConnState = func(nc net.Conn, state http.ConnState) {
		c := below(nc)
		switch {
		case c == nil:
		case state == http.StateActive:
			c.begin()
		case state == http.StateIdle:
			c.answered()
		}
	}
	s.ConnContext = func(ctx context.Context, nc net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, below(nc))
	}
	inner := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, _ := r.Context().Value(connKey{}).(*conn); c != nil {
			c.requested()
		}
		if r.Method == "PRI" { // as net/http reads the preface of HTTP/2 (RFC 9113 section 3.4)
			l.refuseHTTP2(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// refuseHTTP2 answers a client that speaks HTTP/2 without TLS, and ends its connection.
func (l *Listener) refuseHTTP2(w http.ResponseWriter, r *http.Request) {
	l.report(slog.LevelInfo, http2Preface,
		"a request was refused with 505: it came as HTTP/2 without TLS; let the client or proxy speak HTTP/1.1 to this server",
		r.RemoteAddr)
	w.Header().Set("Connection", "close")
	http.Error(w, "this server speaks HTTP/1.1: connect without HTTP/2 (a proxy in between must speak HTTP/1.1 to this server)",
		http.StatusHTTPVersionNotSupported)
}

// slop is the number of bytes that net/http reads of a header beyond MaxHeaderBytes.
const slop = 4096

type connKey struct{}

// below returns the conn that a server's connection is, or is built on; nil if there is
// none.
func below(nc net.Conn) *conn {
	if secure, ok := nc.(*tls.Conn); ok {
		nc = secure.NetConn()
	}
	c, _ := nc.(*conn)
	return c
}
