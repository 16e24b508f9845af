package archtest

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every name that the root exports is used by the product, an example or a document.
func TestExportedNamesAreUsed(t *testing.T) {
	t.Parallel()
	used := wordsOfDocuments(t)
	var root []*ast.File
	for file, parsed := range sources(t, 0) {
		if path.Dir(file) == "." {
			root = append(root, parsed)
		}
		addUses(used, parsed)
	}
	names := exportedNames(root)
	if len(names) < 50 {
		t.Errorf("only %d names were looked at", len(names))
	}
	for _, name := range names {
		if !used[name] {
			t.Errorf("realtime.%s is used nowhere in the product, the examples and the documents: delete it, or show what it is for", name)
		}
	}
}

// exportedNames returns the functions, types, constants, variables and methods that
// the files of a package export; a dot stands before a method.
func exportedNames(files []*ast.File) (names []string) {
	for _, file := range files {
		for _, decl := range file.Decls {
			for _, id := range declared(decl) {
				if method, ok := decl.(*ast.FuncDecl); ok && method.Recv != nil {
					names = append(names, "."+id.Name)
				} else if id.IsExported() {
					names = append(names, id.Name)
				}
			}
		}
	}
	return names
}

// declared returns the identifiers that a declaration declares; of methods, the
// exported ones of exported types.
func declared(decl ast.Decl) (ids []*ast.Ident) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || d.Name.IsExported() && ast.IsExported(receiver(d)) && !isOfInterface(d.Name.Name) {
			ids = append(ids, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				ids = append(ids, s.Name)
			case *ast.ValueSpec:
				ids = append(ids, s.Names...)
			}
		}
	}
	return ids
}

// isOfInterface reports whether a method is called through an interface of the
// standard library.
func isOfInterface(name string) bool {
	return name == "Error" || name == "String" || name == "Unwrap" || name == "Is"
}

func receiver(method *ast.FuncDecl) string {
	of := method.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if id, ok := of.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// addUses adds to used what a file names of the root, but for its declarations: "Name"
// for a name of the package, ".Name" for whatever is selected from a value.
func addUses(used map[string]bool, file *ast.File) {
	declarations := map[*ast.Ident]bool{}
	for _, decl := range file.Decls {
		for _, id := range declared(decl) {
			declarations[id] = true
		}
	}
	var visit func(ast.Node) bool
	visit = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if from, ok := n.X.(*ast.Ident); ok && from.Name == "realtime" {
				used[n.Sel.Name] = true
			} else {
				used["."+n.Sel.Name] = true
			}
			ast.Inspect(n.X, visit)
			return false
		case *ast.Ident:
			if file.Name.Name == "realtime" && !declarations[n] {
				used[n.Name] = true
			}
		}
		return true
	}
	ast.Inspect(file, visit)
}

var word = regexp.MustCompile(`\w+`)

// wordsOfDocuments returns the words of the code in the documents, but for the list
// of changes, and of the examples.
func wordsOfDocuments(t *testing.T) map[string]bool {
	t.Helper()
	used := map[string]bool{}
	code := regexp.MustCompile("(?s)```.*?```|`[^`\n]+`")
	err := fs.WalkDir(os.DirFS(top), ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && file != "." && skipped(entry.Name()):
			return fs.SkipDir
		case strings.HasSuffix(file, "_test.go"):
			return addExamples(used, file)
		case path.Ext(file) != ".md" || file == "CHANGELOG.md" || strings.HasPrefix(file, "docs/adr/"):
			return nil
		}
		text, err := os.ReadFile(filepath.Join(top, file))
		for _, span := range code.FindAllString(string(text), -1) {
			for _, w := range word.FindAllString(span, -1) {
				used[w], used["."+w] = true, true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return used
}

// addExamples adds what the Example functions of a test file use.
func addExamples(used map[string]bool, file string) error {
	parsed, err := parser.ParseFile(gotoken.NewFileSet(), filepath.Join(top, file), nil, 0)
	if err != nil {
		return err
	}
	for _, decl := range parsed.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Example") {
			addUses(used, &ast.File{Name: parsed.Name, Decls: []ast.Decl{f}})
		}
	}
	return nil
}
