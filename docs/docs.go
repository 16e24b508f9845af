// Package docs holds the documents of this folder, for programs that show them. It
// holds nothing else, and is safe for concurrent use.
package docs

import "embed"

// Files are the documents, Markdown each, and the settings as a YAML file.
//
//go:embed *.md *.yaml
var Files embed.FS
