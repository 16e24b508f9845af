package server

import (
	"crypto/tls"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

// secure puts TLS on the endpoint when there is a certificate.
func (e *endpoint) secure(l config.Listener) error {
	if l.TLSCertFile == "" {
		return nil
	}
	certificate, err := l.Certificate()
	if err != nil {
		return err
	}
	e.scheme = "https"
	e.listener = tls.NewListener(e.listener, &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	})
	return nil
}
