package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

// version is set by the linker in `make build`; empty means that of the build info.
var version string

// versionFlag is --version.
type versionFlag bool

// BeforeReset prints the version and ends the program, as --help does.
func (versionFlag) BeforeReset(app *kong.Kong, p *program) error {
	if err := (versionCommand{}).Run(p); err != nil {
		return err
	}
	app.Exit(0)
	return nil
}

type versionCommand struct{}

// Run prints the version and the build of this program.
func (versionCommand) Run(p *program) error {
	module, revision := "", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		module = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = ", commit " + s.Value
			}
		}
	}
	_, err := fmt.Fprintf(p.stdout, "boundary-realtime %s (%s, %s/%s%s)\n",
		cmp.Or(version, module, "unknown"), runtime.Version(), runtime.GOOS, runtime.GOARCH, revision)
	return err
}
