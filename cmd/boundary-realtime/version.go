package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the linker in `make build`; empty: ask the build info.
var version string

type versionCommand struct{}

// Run prints what this program was built from.
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
