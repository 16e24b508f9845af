package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// endpoint is a listener and the HTTP server on it.
type endpoint struct {
	listener net.Listener
	http     http.Server
	scheme   string
}

// The limits of an HTTP request; a WebSocket is free of them once it is open.
const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 30 * time.Second
	idleTimeout    = time.Minute
	maxHeader      = 16<<10 - 4096 // net/http allows 4096 octets more than it is told
	stopTimeout    = 5 * time.Second
)

func listen(address string, log *slog.Logger) (*endpoint, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	e := &endpoint{listener: listener, scheme: "http"}
	e.http.ReadHeaderTimeout = headerTimeout
	e.http.ReadTimeout = requestTimeout
	e.http.IdleTimeout = idleTimeout
	e.http.MaxHeaderBytes = maxHeader
	e.http.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	e.http.Protocols = new(http.Protocols)
	e.http.Protocols.SetHTTP1(true) // a WebSocket takes over its connection, and one of HTTP/2 cannot be had
	return e, nil
}

func (e *endpoint) url() string { return e.scheme + "://" + e.listener.Addr().String() }

func (e *endpoint) serve() error { return e.http.Serve(e.listener) }

func (e *endpoint) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := e.http.Shutdown(ctx); err != nil {
		_ = e.http.Close()
	}
	_ = e.listener.Close() // it is closed twice, unless serve was never called
	return nil
}
