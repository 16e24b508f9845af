package realtime

import "embed"

// Documents are README.md, PROTOCOL.md and the other documents beside the source of
// this package, for programs that show them. A program that does not use the
// variable does not contain them.
//
//go:embed *.md LICENSE
var Documents embed.FS
