// Package subject is what the conformance suite is pointed at: an echo server and an echo client
// over this module's own socket layer. It holds no rules of the protocol of its own.
//
// Concurrency: a Server is safe for concurrent use; [Echo] belongs to the goroutine that calls it.
package subject

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"boundary-app.org/realtime/internal/engine"
	"boundary-app.org/realtime/internal/metrics"
	"boundary-app.org/realtime/internal/socket"
)

// Path is how a server reads and writes.
type Path string

// The paths.
const (
	Loop     Path = "loop"     // the event loops poll the sockets
	Portable Path = "portable" // goroutines read and write, as under TLS
)

// Config is fixed for a Server's life. The zero value: the path of the loops, no compression, and
// messages of up to 64 KiB.
type Config struct {
	Path        Path
	Compression bool
	MaxMessage  int // octets
}

// Server upgrades every request, on any path and with any subprotocol, and echoes text and binary
// messages. It sends nothing else and knows no rate limit.
type Server struct {
	cfg    Config
	log    *slog.Logger
	engine *engine.Engine
}

// NewServer starts the loops.
func NewServer(cfg Config, log *slog.Logger) *Server {
	if cfg.MaxMessage <= 0 {
		cfg.MaxMessage = socket.DefaultMaxMessage
	}
	none := func() int { return 0 }
	return &Server{cfg: cfg, log: log, engine: engine.New(engine.Config{
		MaxMessage:   cfg.MaxMessage,
		MaxBacklog:   2*cfg.MaxMessage + 1<<20, // two echoes, and some pongs
		MaxInbox:     2*cfg.MaxMessage + 1<<20,
		CloseTimeout: 5 * time.Second,
		Metrics:      metrics.New(none, none, none),
		Log:          log,
	})}
}

// Stop ends all connections, and returns when all goroutines have ended. No request may be served
// meanwhile or after it.
func (s *Server) Stop() { s.engine.Stop() }

// ServeHTTP upgrades a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	handshake, err := socket.CheckHandshake(r, socket.HandshakeOptions{Deflate: s.cfg.Compression})
	var refusal *socket.Refusal
	if errors.As(err, &refusal) {
		refusal.ServeHTTP(w, r)
		return
	}
	conn, buffered, err := socket.Hijack(w)
	if err != nil {
		s.log.Error("cannot take a connection over", "error", err)
		http.Error(w, "this server cannot upgrade connections", http.StatusInternalServerError)
		return
	}
	e := new(echo)
	err = s.engine.Register(&e.conn, engine.Spec{
		Handler:  e,
		Conn:     s.through(conn),
		Prelude:  handshake.AppendResponse(nil),
		Buffered: buffered,
		Deflate:  handshake.Deflate,
	})
	if err != nil {
		s.log.Error("cannot register a connection", "error", errors.Join(err, conn.Close()))
		return
	}
	e.conn.Open(nil)
}

// through hides a TCP connection from the poller if the path wants that.
func (s *Server) through(conn net.Conn) net.Conn {
	if tcp, ok := conn.(*net.TCPConn); ok && s.cfg.Path == Portable {
		return hidden{tcp}
	}
	return conn
}

// hidden is a TCP connection that the engine does not know as one. It can still be half closed.
type hidden struct{ *net.TCPConn }

// echo is the handler of one connection.
type echo struct{ conn engine.Conn }

// Receive sends a message back.
func (e *echo) Receive(text bool, data []byte) {
	if text {
		e.conn.Send(data)
	} else {
		e.conn.SendBinary(data)
	}
}

// Closed has nothing to do.
func (e *echo) Closed(uint16, string) {}
