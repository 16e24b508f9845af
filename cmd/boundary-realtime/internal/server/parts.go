package server

import (
	"crypto/tls"
	"net/http"

	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

// parts are made from a configuration and the files it names.
type parts struct {
	verifier    *auth.JWT // nil: keep the current one
	apiKeys     []string
	certificate *tls.Certificate // nil: no TLS
}

// prepare reads the files of a configuration and makes everything that can fail, so that
// a configuration takes effect as a whole or not at all.
func (s *Server) prepare(cfg *config.Config, tokens bool) (p parts, err error) {
	secrets, err := cfg.APIKeys()
	if err != nil {
		return parts{}, err
	}
	for _, secret := range secrets {
		p.apiKeys = append(p.apiKeys, string(secret))
	}
	if s.dev != nil {
		p.apiKeys = []string{s.dev.apiKey}
	}
	if cfg.Listener.TLSCertFile != "" {
		certificate, err := cfg.Listener.Certificate()
		if err != nil {
			return parts{}, err
		}
		p.certificate = &certificate
	}
	if tokens {
		p.verifier, err = s.newVerifier(cfg)
	}
	return p, err
}

// newVerifier makes a verifier that starts with the key set of the current one.
func (s *Server) newVerifier(cfg *config.Config) (*auth.JWT, error) {
	options, err := cfg.Auth()
	if err != nil {
		return nil, err
	}
	options.Log, options.Previous = s.log, s.verifier.current.Load()
	if s.dev != nil {
		options.HMACSecret = s.dev.secret
	}
	return auth.New(options)
}

// install uses the parts for new requests. Open connections keep the parts with which they
// were opened.
func (s *Server) install(cfg *config.Config, p parts) {
	if p.verifier != nil {
		s.verifier.set(p.verifier)
	}
	if p.certificate != nil {
		s.certificate.set(*p.certificate)
	}
	s.sockets.set(s.newSockets(cfg))
	calls := api.Options{Keys: p.apiKeys, TrustedProxies: cfg.Access.TrustedProxies, Log: s.log}
	s.calls.set(api.New(s.svc, calls))
	s.guarded.set(api.RequireKey(s.svc, calls, s.operations))
	s.apiDisabled.Store(len(p.apiKeys) == 0)
}

func (s *Server) newSockets(cfg *config.Config) http.Handler {
	sockets := s.svc.Handler(handlerOptions(cfg))
	if s.dev != nil {
		return loopbackPages(sockets)
	}
	return sockets
}
