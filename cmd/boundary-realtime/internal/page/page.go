// Package page owns the page on which a developer tries the server in a
// browser: it connects, shows what arrives, and sends through the HTTP API. The
// documents of this version are beside it.
//
// The page is plain files, embedded, with nothing from elsewhere. It never puts
// what arrives into the document other than as text. The package knows no
// token: the page takes its own from the fragment of its address, which no
// server sees. Its handler is safe for concurrent use.
package page

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
)

//go:embed assets
var embedded embed.FS

// policy lets the page run its own scripts and talk to its own server, and
// nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// Handler serves the page at / and its assets beside it, the documents, and a
// list of them at /docs/.
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
		h.Set("Cache-Control", "no-store") // a new build of the program is a new page
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "the page is only read", http.StatusMethodNotAllowed)
			return
		}
		switch path.Ext(r.URL.Path) {
		case ".md", ".yaml":
			h.Set("Content-Type", "text/plain; charset=utf-8") // browsers save these in place of showing them
		}
		files.ServeHTTP(w, r)
	})
}
