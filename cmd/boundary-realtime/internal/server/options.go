package server

import (
	"log/slog"
	"time"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/auth"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

func serviceOptions(cfg *config.Config, verifier realtime.Verifier, log *slog.Logger) realtime.Options {
	return realtime.Options{
		Verifier: verifier,
		Log:      log,
		Limits: realtime.Limits{
			MessageSize:  cfg.Limits.MessageSize,
			Backlog:      cfg.Limits.Backlog,
			Topics:       cfg.Limits.Topics,
			MessageRate:  orNone(cfg.Limits.MessageRate),
			MessageBurst: cfg.Limits.MessageBurst,

			Connections:           cfg.Limits.Connections,
			ConnectionsPerUser:    cfg.Limits.ConnectionsPerUser,
			ConnectionsPerAddress: cfg.Limits.ConnectionsPerAddress,
			EvictOldest:           cfg.Limits.Over == config.OverEvict,
			RejectNewest:          cfg.Limits.Over == config.OverReject,
		},
		Topics:        cfg.SlowTopics,
		PingInterval:  orNone(cfg.Times.PingInterval),
		PongTimeout:   cfg.Times.PongTimeout,
		ExpiryGrace:   orNone(cfg.Times.ExpiryGrace),
		TokenLifetime: cfg.JWT.Lifetime,
		TokenLeeway:   cfg.JWT.Leeway,
		DrainDelay:    cfg.Times.DrainDelay,
		DrainWindow:   max(cfg.Times.Drain, time.Nanosecond),
	}
}

// orNone writes the zero of the configuration, which means none, as the library
// does, where zero means the default.
func orNone[T time.Duration | float64](v T) T {
	if v == 0 {
		return -1
	}
	return v
}

func (s *Server) handlerOptions() realtime.HandlerOptions {
	access := s.cfg.Access
	return realtime.HandlerOptions{
		TokenParam:     access.TokenParam,
		TokenSources:   access.TokenSources,
		TokenInMessage: access.TokenInMessage,
		AllowedOrigins: access.AllowedOrigins,
		TrustedProxies: access.TrustedProxies,
		Compression:    s.cfg.Compression,
		Require:        auth.Requirements{Roles: access.RequiredRoles, Permissions: access.RequiredPermissions},
	}
}
