package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/edge"
)

// endpoint is a listener and the HTTP server on it.
type endpoint struct {
	listener net.Listener // edge, or TLS on it
	edge     *edge.Listener
	http     http.Server
	scheme   string
}

// The limits of an HTTP request. They do not apply to an open WebSocket.
const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 30 * time.Second
	idleTimeout    = time.Minute
	answerTime     = 30 * time.Second
	stopTimeout    = 5 * time.Second
)

func listen(address string, opts edge.Options) (*endpoint, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return newEndpoint(listener, opts), nil
}

// unlistened returns the error for an address that cannot be listened on, with its setting.
func unlistened(setting string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; is another server running? Stop it, or set %s to another address", err, setting)
	}
	return fmt.Errorf("%w; set %s to another address", err, setting)
}

func newEndpoint(listener net.Listener, opts edge.Options) *endpoint {
	opts.HeaderTimeout, opts.AnswerTime = headerTimeout, answerTime
	guarded := edge.NewListener(listener, opts)
	e := &endpoint{listener: guarded, edge: guarded, scheme: "http"}
	e.http.ReadTimeout = requestTimeout
	e.http.IdleTimeout = idleTimeout
	e.http.Protocols = new(http.Protocols)
	e.http.Protocols.SetHTTP1(true) // a WebSocket takes over its connection, which HTTP/2 does not allow
	return e
}

// handle sets the handler.
func (e *endpoint) handle(handler http.Handler) {
	e.http.Handler = handler
	e.edge.Watch(&e.http)
}

func (e *endpoint) url() string { return e.scheme + "://" + e.listener.Addr().String() }

func (e *endpoint) serve() error { return e.http.Serve(e.listener) }

func (e *endpoint) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := e.http.Shutdown(ctx); err != nil {
		_ = e.http.Close()
	}
	_ = e.listener.Close() // closed already, unless serve was never called
	return nil
}
