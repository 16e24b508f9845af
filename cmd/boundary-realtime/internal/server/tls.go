package server

import (
	"crypto/tls"
	"fmt"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

// secure puts TLS on the endpoint when there is a certificate.
func (e *endpoint) secure(l config.Listener) error {
	if l.TLSCertFile == "" {
		return nil
	}
	certificate, err := tls.LoadX509KeyPair(l.TLSCertFile, l.TLSKeyFile)
	if err != nil {
		return fmt.Errorf("load the certificate: %w", err)
	}
	e.scheme = "https"
	e.listener = tls.NewListener(e.listener, &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	})
	return nil
}
