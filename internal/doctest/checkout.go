//go:build unix

package doctest

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// checkout is a fresh copy of the working tree, without what git ignores, and a
// module proxy that serves it as a release, so that "go get" finds it.
type checkout struct {
	folder  string
	proxy   string // a folder in the layout of a module proxy
	release string // of the module, unlike that of any other run
}

const modulePath = "boundary-app.org/realtime"

func newCheckout(t *testing.T) checkout {
	t.Helper()
	c := checkout{
		folder: t.TempDir(), proxy: t.TempDir(),
		release: fmt.Sprintf("v0.0.1-doctest.%d", time.Now().UnixNano()),
	}
	t.Cleanup(func() { c.forget(t) })
	files := workingTree(t)
	for _, name := range files {
		if err := copyFile(filepath.Join(root, name), filepath.Join(c.folder, name)); err != nil {
			t.Fatalf("copy the working tree: %v", err)
		}
	}
	if err := c.publish(files); err != nil {
		t.Fatalf("make a module proxy: %v", err)
	}
	return c
}

// forget removes the release from the machine's module cache.
func (c checkout) forget(t *testing.T) {
	cache := goEnv(t, "GOMODCACHE")
	err := os.RemoveAll(filepath.Join(cache, modulePath+"@"+c.release))
	files, globErr := filepath.Glob(filepath.Join(cache, "cache", "download", modulePath, "@v", c.release+".*"))
	for _, file := range files {
		err = errors.Join(err, os.Remove(file))
	}
	if err = errors.Join(err, globErr); err != nil {
		t.Errorf("clean the module cache: %v", err)
	}
}

// root is the repository, seen from this package.
const root = "../.."

func workingTree(t *testing.T) (files []string) {
	t.Helper()
	list, err := exec.Command("git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("list the working tree: %v", err)
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if _, err := os.Stat(filepath.Join(root, name)); !errors.Is(err, fs.ErrNotExist) {
			files = append(files, name)
		}
	}
	return files
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, content, info.Mode().Perm())
}

// publish writes the module in the layout of a module proxy (https://go.dev/ref/mod#goproxy-protocol).
func (c checkout) publish(files []string) error {
	versions := filepath.Join(c.proxy, modulePath, "@v")
	if err := os.MkdirAll(versions, 0o755); err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(c.folder, "go.mod"))
	if err != nil {
		return err
	}
	info := fmt.Sprintf(`{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, c.release)
	for name, content := range map[string]string{"list": c.release + "\n", c.release + ".info": info, c.release + ".mod": string(mod)} {
		if err := os.WriteFile(filepath.Join(versions, name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	archive, err := os.Create(filepath.Join(versions, c.release+".zip"))
	if err != nil {
		return err
	}
	return errors.Join(c.writeZip(archive, files), archive.Close())
}

func (c checkout) writeZip(to io.Writer, files []string) error {
	archive := zip.NewWriter(to)
	for _, name := range files {
		if inOtherModule(name) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(c.folder, name))
		if err != nil {
			return err
		}
		file, err := archive.Create(modulePath + "@" + c.release + "/" + filepath.ToSlash(name))
		if err != nil {
			return err
		}
		if _, err := file.Write(content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// inOtherModule reports whether a file belongs to a nested module.
func inOtherModule(name string) bool {
	return strings.HasPrefix(name, "bench/") || strings.HasPrefix(name, "tools/")
}
