package server

import "crypto/tls"

// secure puts TLS on the endpoint.
func (e *endpoint) secure(certificate *swapCertificate) {
	e.scheme = "https"
	e.listener = tls.NewListener(e.listener, &tls.Config{
		GetCertificate: certificate.get,
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
	})
}
