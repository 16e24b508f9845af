package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/alecthomas/kong"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
	"boundary-app.org/realtime/cmd/boundary-realtime/internal/server"
)

// settingFlags are all settings as flags, and the name of the configuration file.
type settingFlags struct {
	Config string `placeholder:"FILE" help:"YAML file with settings ($REALTIME_CONFIG)."`
	kong.Plugins

	settings config.Flags `kong:"-"`
}

func newSettingFlags() settingFlags {
	flags := config.NewFlags()
	return settingFlags{Plugins: kong.Plugins{flags.Target()}, settings: flags}
}

// Help returns the text above the flags.
func (*settingFlags) Help() string { return config.HelpOnSecrets() }

// load returns the configuration, and all mistakes in it as Problems.
func (f *settingFlags) load(p *program) (*config.Config, error) {
	cfg, err := config.Load(config.Sources{Flags: f.settings.Values(), Environ: p.environ, File: f.Config})
	var problems, more config.Problems
	errors.As(err, &problems)
	errors.As(cfg.Check(), &more)
	if problems = append(problems, more...); len(problems) > 0 {
		return cfg, problems
	}
	return cfg, nil
}

type serveCommand struct {
	settingFlags `embed:""`
}

func newServeCommand() serveCommand { return serveCommand{newSettingFlags()} }

// Run serves until ctx is done, and then drains. It reloads the configuration when it
// changes.
func (c *serveCommand) Run(ctx context.Context, p *program) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	ctx, reloads, stop := untilHangup(ctx)
	defer stop()
	level := new(slog.LevelVar)
	level.Set(cfg.Log.Level)
	s, err := server.New(cfg, slog.New(newHandler(cfg.Log.Format, level, p.stderr)))
	if err != nil {
		return err
	}
	s.OnReload(server.Reload{
		Load:  func() (*config.Config, error) { return c.load(p) },
		Asked: reloads,
		Level: level,
	})
	if cfg.Dev {
		if err := s.WriteBanner(p.stdout); err != nil {
			return err
		}
	}
	return s.Run(ctx)
}
