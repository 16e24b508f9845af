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
		Limits:   limits(cfg.Limits),

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

func limits(l config.Limits) realtime.Limits {
	return realtime.Limits{
		MessageSize:  l.MessageSize,
		Backlog:      l.Backlog,
		Topics:       l.Topics,
		MessageRate:  orNone(l.MessageRate),
		MessageBurst: l.MessageBurst,

		Connections:           l.Connections,
		ConnectionsPerUser:    l.ConnectionsPerUser,
		ConnectionsPerAddress: l.ConnectionsPerAddress,
		EvictOldest:           l.Over == config.OverEvict,
		RejectNewest:          l.Over == config.OverReject,
	}
}

// orNone returns -1 for zero: zero means none in the configuration, but the default in the
// library, where -1 means none.
func orNone[T time.Duration | float64](v T) T {
	if v == 0 {
		return -1
	}
	return v
}

func handlerOptions(cfg *config.Config) realtime.HandlerOptions {
	access := cfg.Access
	return realtime.HandlerOptions{
		TokenParam:     access.TokenParam,
		TokenSources:   access.TokenSources,
		TokenInMessage: access.TokenInMessage,
		AllowedOrigins: access.AllowedOrigins,
		TrustedProxies: access.TrustedProxies,
		Compression:    cfg.Compression,
		Require:        auth.Requirements{Roles: access.RequiredRoles, Permissions: access.RequiredPermissions},
	}
}
