package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// fileError is an error about the file that a setting names.
type fileError struct {
	setting string
	path    string
	err     error
}

func (e *fileError) Error() string { return e.setting + ": " + e.err.Error() + shown(e.path) }

func (e *fileError) Unwrap() error { return e.err }

// shown returns the path for the end of an error, unless it may be a secret that
// was given where its file belongs.
func shown(path string) string {
	if !isPath(path) {
		return " (the setting takes the path of a file; its value is not shown, since it does not look like one)"
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return ": " + path
}

// extensions are those of files that hold keys and settings.
var extensions = []string{".pem", ".crt", ".cer", ".der", ".key", ".pub", ".txt", ".secret", ".yaml", ".yml", ".json", ".env"}

// isPath reports whether a text has the form of a path and not that of a secret:
// it has the extension of a file, or lies in a directory that exists, or begins
// as paths do and has short names only.
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
