package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCommand struct{}

// Run prints what this program was built from.
func (versionCommand) Run(p *program) error {
	version, revision := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = ", commit " + s.Value
			}
		}
	}
	_, err := fmt.Fprintf(p.stdout, "boundary-realtime %s (%s, %s/%s%s)\n",
		version, runtime.Version(), runtime.GOOS, runtime.GOARCH, revision)
	return err
}
