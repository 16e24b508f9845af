package server

import (
	"context"
	"crypto/tls"
	"net/http"
	"sync/atomic"

	"boundary-app.org/realtime/auth"
)

// The types of this file hold values that a reload replaces while requests use them. All
// are safe for concurrent use.

// swapHandler is an http.Handler that can be replaced.
type swapHandler struct{ current atomic.Pointer[http.Handler] }

func (h *swapHandler) set(next http.Handler) { h.current.Store(&next) }

func (h *swapHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*h.current.Load()).ServeHTTP(w, r)
}

// swapVerifier is a Verifier that can be replaced.
type swapVerifier struct{ current atomic.Pointer[auth.JWT] }

// Verify calls the current verifier.
func (v *swapVerifier) Verify(ctx context.Context, token string) (*auth.Identity, error) {
	return v.current.Load().Verify(ctx, token)
}

// set replaces the verifier and closes the previous one, unless it is the same. A token
// that waits for a key set of the previous one gets 503.
func (v *swapVerifier) set(next *auth.JWT) {
	if previous := v.current.Swap(next); previous != nil && previous != next {
		_ = previous.Close() // it returns no error
	}
}

// Close closes the current verifier, if there is one.
func (v *swapVerifier) Close() error {
	if now := v.current.Load(); now != nil {
		return now.Close()
	}
	return nil
}

// swapCertificate is the certificate of a listener.
type swapCertificate struct {
	current atomic.Pointer[tls.Certificate]
}

func (c *swapCertificate) set(next tls.Certificate) { c.current.Store(&next) }

func (c *swapCertificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}
