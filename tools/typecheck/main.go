// Command typecheck checks that the packages of a module, and their tests, compile
// on another system: typecheck -dir . windows darwin. It reads source only. go vet
// would compile the standard library and all dependencies for each system, which
// takes ten times as long.
package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	dir := flag.String("dir", ".", "folder of the module")
	flag.Parse()
	failed := false
	for _, system := range flag.Args() {
		problems, err := check(*dir, system)
		if err != nil {
			problems = append(problems, err.Error())
		}
		for _, problem := range problems {
			fmt.Fprintf(os.Stderr, "typecheck: %s: %s\n", system, problem)
		}
		failed = failed || len(problems) > 0
	}
	if failed {
		os.Exit(1)
	}
}

// check returns what does not compile on a system.
func check(dir, system string) (problems []string, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	loaded, err := packages.Load(&packages.Config{
		Mode:  packages.LoadAllSyntax,
		Dir:   dir,
		Env:   append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0"),
		Tests: true,
		ParseFile: func(files *token.FileSet, name string, src []byte) (*ast.File, error) {
			f, err := parser.ParseFile(files, name, src, parser.SkipObjectResolution)
			if f != nil && !strings.HasPrefix(name, dir+string(filepath.Separator)) {
				dropBodies(f)
			}
			return f, err
		},
	}, "./...")
	if err != nil {
		return nil, err
	}
	for _, p := range loaded {
		if strings.HasSuffix(p.ID, ".test") {
			continue // a main package that the go command makes for tests
		}
		for _, e := range p.Errors {
			problems = append(problems, e.Error())
		}
	}
	return problems, nil
}

// dropBodies leaves the declarations of a dependency, which say all that its users
// need.
func dropBodies(f *ast.File) {
	for _, d := range f.Decls {
		if function, ok := d.(*ast.FuncDecl); ok {
			function.Body = nil
		}
	}
}
