package page

import (
	"bytes"
	"html/template"
	"io/fs"
	"net/http"
	"strings"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/docs"
)

// addDocuments serves the documents at the paths of their links to each other, and a list
// of them at /docs/.
func addDocuments(mux *http.ServeMux) {
	top := http.FileServerFS(realtime.Documents)
	for _, name := range names(realtime.Documents) {
		mux.Handle("/"+name, top)
	}
	mux.Handle("/docs/", http.StripPrefix("/docs", http.FileServerFS(docs.Files)))
	mux.Handle("/api/openapi.json", http.RedirectHandler("/openapi.json", http.StatusFound))
	list := listDocuments()
	mux.HandleFunc("/docs/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(list) // the client has gone
	})
}

// names returns the files of a folder, sorted.
func names(files fs.FS) (all []string) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		panic(err) // the files are embedded
	}
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

// document is one entry of the list.
type document struct{ Path, Title string }

var listPage = template.Must(template.New("list").Parse(`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>Documents · Boundary Realtime</title>
  <link rel="icon" href="/icon.svg" type="image/svg+xml">
  <link rel="stylesheet" href="/page.css">
</head>
<body>
  <main class="documents">
    <h1>Documents of this version</h1>
    <ul>{{range .}}
      <li><a href="{{.Path}}">{{.Title}}</a> <code>{{.Path}}</code></li>{{end}}
      <li><a href="/openapi.json">The HTTP API as an OpenAPI document</a> <code>/openapi.json</code></li>
    </ul>
    <p><a href="/">Back to the page to try the server</a></p>
  </main>
</body>
</html>
`))

// listDocuments returns the page at /docs/. It lists first what a newcomer reads first.
func listDocuments() []byte {
	all := []document{
		{"/README.md", title(realtime.Documents, "README.md")},
		{"/docs/guide.md", title(docs.Files, "guide.md")},
		{"/PROTOCOL.md", title(realtime.Documents, "PROTOCOL.md")},
	}
	for _, name := range names(docs.Files) {
		if name != "guide.md" {
			all = append(all, document{"/docs/" + name, title(docs.Files, name)})
		}
	}
	for _, name := range []string{"SECURITY.md", "ARCHITECTURE.md", "CHANGELOG.md"} {
		all = append(all, document{"/" + name, title(realtime.Documents, name)})
	}
	var page bytes.Buffer
	if err := listPage.Execute(&page, all); err != nil {
		panic(err) // the template is a constant, and its values are texts
	}
	return page.Bytes()
}

// title returns the heading of a document, or the name of a file without one.
func title(files fs.FS, name string) string {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		panic(err) // the files are embedded
	}
	first, _, _ := strings.Cut(string(text), "\n")
	if heading, found := strings.CutPrefix(first, "# "); found && strings.HasSuffix(name, ".md") {
		return heading
	}
	return name
}
