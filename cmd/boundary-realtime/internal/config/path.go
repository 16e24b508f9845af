package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// fileError is an error of the file that a setting names.
type fileError struct {
	setting string
	path    string
	err     error
}

func (e *fileError) Error() string { return e.setting + ": " + e.err.Error() + shown(e.path) }

func (e *fileError) Unwrap() error { return e.err }

// shown returns the path for the end of an error, unless it may be a secret in place of
// the path.
func shown(path string) string {
	if !isPath(path) {
		return " (the setting is the path of a file; its value is not shown, since it does not look like a path)"
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return ": " + path
}

// extensions are those of files with keys or settings.
var extensions = []string{".pem", ".crt", ".cer", ".der", ".key", ".pub", ".txt", ".secret", ".yaml", ".yml", ".json", ".env"}

// isPath reports whether a text looks like a path and not like a secret: it has the
// extension of a file, or is in an existing directory, or begins like a path and has only
// short names.
func isPath(text string) bool {
	slashed := filepath.ToSlash(text)
	if len(text) > 4096 || strings.ContainsAny(text, "+=,\r\n") {
		return false // base64, lists and PEM
	}
	if slices.Contains(extensions, strings.ToLower(filepath.Ext(text))) {
		return true
	}
	if !strings.Contains(slashed, "/") {
		return false
	}
	if dir := filepath.Dir(text); dir != filepath.Dir(dir) && dir != "." {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return true
		}
	}
	const longest = 24 // of a name; keys are longer
	names := strings.Split(slashed, "/")
	isLong := func(name string) bool { return len(name) > longest }
	begins := filepath.IsAbs(text) || slices.Contains([]string{".", "..", "~"}, names[0])
	return begins && !slices.ContainsFunc(names, isLong)
}
