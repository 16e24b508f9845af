// Package page owns the page with which a developer tries the server in a browser: it
// connects, shows the messages that arrive, and sends through the HTTP API. The package
// also serves the documents of this version.
//
// The page consists of embedded files and loads nothing from other servers. It inserts
// messages into the document only as text. The package has no token: the page takes its
// token from the fragment of its URL, which no server sees. The handler is safe for
// concurrent use.
package page

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
)

//go:embed assets
var embedded embed.FS

// policy allows the page to run its own scripts and to call its own server, and nothing
// else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// Handler serves the page at /, its assets, the documents, and a list of them at /docs/.
func Handler() http.Handler {
	assets, err := fs.Sub(embedded, "assets")
	if err != nil {
		panic(err) // the name is a constant, and embedded above
	}
	files := http.NewServeMux()
	files.Handle("/", http.FileServerFS(assets))
	addDocuments(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store") // a new build of the program has a new page
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "the page is only read", http.StatusMethodNotAllowed)
			return
		}
		switch path.Ext(r.URL.Path) {
		case ".md", ".yaml":
			h.Set("Content-Type", "text/plain; charset=utf-8") // browsers would download these otherwise
		}
		files.ServeHTTP(w, r)
	})
}
