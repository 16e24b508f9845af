// Package docs holds the documents of this folder, for programs that show them. It
// holds nothing else, and is safe for concurrent use.
package docs

import "embed"

// Files are the documents, Markdown each.
//
//go:embed *.md
var Files embed.FS
