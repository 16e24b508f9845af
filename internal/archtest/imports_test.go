package archtest

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "boundary-app.org/realtime"

// top is the folder of the repository, as seen from this one.
const top = "../.."

// layer is a folder of packages, and those that they may import.
type layer struct {
	folder  string
	imports []string
}

// mayImport says which of our packages each of them may import; "." is the
// root. A folder stands for what is below it. What may be imported lies further
// down in the list: imports point one way.
var mayImport = []layer{
	{"examples", []string{"client", "realtimetest", "api", ".", "bus", "auth", "wire"}},
	{"cmd", []string{"client", "api", "console", ".", "bus", "auth", "internal/leftover", "internal/chromium", "internal/loglimit", "internal/origin", "docs", "wire", "internal/strictjson"}},
	{"internal/faults", []string{"realtimetest", "api", ".", "bus", "auth", "internal/faultproxy", "internal/socket", "wire"}},
	{"internal/doctest", []string{"internal/chromium", "realtimetest", "."}},
	{"internal/archtest", nil},
	{"internal/wsconformance", []string{"internal/engine", "internal/socket", "internal/metrics", "wire"}},
	{"realtimetest", []string{".", "auth", "internal/socket", "wire"}},
	{"filter", []string{"."}},
	{"api", []string{".", "bus", "auth", "internal/leftover", "internal/loglimit", "internal/metrics", "internal/origin", "wire", "internal/strictjson"}},
	{"console", []string{".", "wire"}},
	{".", []string{"internal/engine", "internal/session", "bus", "auth", "internal/stream", "internal/presence", "internal/revocation", "internal/origin", "internal/socket", "internal/metrics", "internal/poll", "internal/loglimit", "wire"}},
	{"internal/engine", []string{"bus", "internal/socket", "internal/stream", "internal/metrics", "internal/poll", "wire"}},
	{"internal/session", []string{"wire", "internal/strictjson"}},
	{"bus", []string{"wire"}},
	{"auth", []string{"internal/loglimit", "wire", "internal/strictjson"}},
	{"client", []string{"internal/socket", "wire"}},
	{"internal/stream", []string{"wire"}},
	{"internal/presence", []string{"wire"}},
	{"internal/socket", []string{"wire"}},
	{"internal/faultproxy", nil},
	{"internal/chromium", nil},
	{"internal/leaks", nil},
	{"internal/leftover", nil},
	{"internal/loglimit", nil},
	{"internal/origin", nil},
	{"internal/revocation", nil},
	{"internal/metrics", nil},
	{"internal/poll", nil},
	{"docs", nil},
	{"wire", []string{"internal/strictjson"}},
	{"internal/strictjson", nil},
}

// Imports point one way.
func TestImportDirection(t *testing.T) {
	t.Parallel()
	seen := 0
	for file, imports := range ourImports(t) {
		from := folderOf(path.Dir(file))
		if from < 0 {
			t.Errorf("%s: say in mayImport where its package stands", file)
			continue
		}
		seen++
		for _, imported := range imports {
			if to := folderOf(imported); to != from && (to < 0 || !slices.Contains(mayImport[from].imports, mayImport[to].folder)) {
				t.Errorf("%s must not import %s", file, imported)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d files were looked at", seen)
	}
}

// The list itself points one way.
func TestImportListIsAcyclic(t *testing.T) {
	t.Parallel()
	for from, entry := range mayImport {
		for _, imported := range entry.imports {
			if to := folderOf(imported); to <= from {
				t.Errorf("%s may import %s, which does not lie below it", entry.folder, imported)
			}
		}
	}
}

// folderOf returns the entry of a package's folder, or -1.
func folderOf(dir string) int {
	for i, entry := range mayImport {
		if dir == entry.folder || entry.folder != "." && strings.HasPrefix(dir, entry.folder+"/") {
			return i
		}
	}
	return -1
}

// ourImports returns the folders of this module that each file imports. Tests
// may import what they like; other modules below us are none of this one's.
func ourImports(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for file, parsed := range sources(t, parser.ImportsOnly) {
		found[file] = nil
		for _, spec := range parsed.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value) // the parser has checked it
			if imported == module {
				found[file] = append(found[file], ".")
			} else if folder, ours := strings.CutPrefix(imported, module+"/"); ours {
				found[file] = append(found[file], folder)
			}
		}
	}
	return found
}

// sources parses all files of the module but tests, by their paths from the top.
func sources(t *testing.T, mode parser.Mode) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	err := fs.WalkDir(os.DirFS(top), ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && file != "." && (isModule(file) || skipped(entry.Name())):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		files[file], err = parser.ParseFile(gotoken.NewFileSet(), filepath.Join(top, file), nil, mode)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func skipped(name string) bool {
	return name == "testdata" || name == "node_modules" || len(name) > 1 && (name[0] == '.' || name[0] == '_')
}

func isModule(dir string) bool {
	matches, _ := filepath.Glob(filepath.Join(top, dir, "go.mod"))
	return len(matches) > 0
}
