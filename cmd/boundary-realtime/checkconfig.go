package main

import "boundary-app.org/realtime/cmd/boundary-realtime/internal/config"

type checkConfigCommand struct {
	settingFlags `embed:""`

	Reference bool `help:"Print all settings with their defaults instead, as a YAML file to start from."`
}

func newCheckConfigCommand() checkConfigCommand {
	return checkConfigCommand{settingFlags: newSettingFlags()}
}

// Run prints the effective configuration with secrets redacted.
func (c *checkConfigCommand) Run(p *program) error {
	if c.Reference {
		return config.PrintReference(p.stdout)
	}
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	return cfg.Print(p.stdout)
}
