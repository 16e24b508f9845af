//go:build unix

package doctest

import (
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// reader follows a document block by block.
type reader struct {
	t         *testing.T
	checkout  checkout
	environ   []string
	ports     *strings.Replacer // the document's ports, for free ones
	terminals map[string]*terminal
	page      *page
	last      *terminal // that ran the last block
	token     string    // the last that a terminal has printed
}

// tokenHere is what a reader replaces with the token that was printed last.
const tokenHere = "PASTE_TOKEN"

var tokenPattern = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)

// documentPorts are the ports that our documents use.
var documentPorts = []string{"8080", "8081", "8090", pagePort}

// pagePort is that of a developer's own page.
const pagePort = "3000"

// newReader makes a reader in a fresh copy of the repository. In the blocks,
// ports are replaced by free ones.
func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{t: t, checkout: newCheckout(t), terminals: map[string]*terminal{}}
	r.choosePorts()
	r.environ = r.environment()
	return r
}

func (r *reader) choosePorts() {
	var pairs []string
	for _, port := range documentPorts {
		pairs = append(pairs, port, freePort(r.t))
	}
	r.ports = strings.NewReplacer(pairs...)
}

// freePort returns a port that nothing listens on, from below those that the
// system gives to connections: it stays free until it is used.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20_000 + rand.IntN(12_000))
		if listener, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			_ = listener.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// environment is that of a reader with Go installed and nothing else set up. The
// caches of Go are those of the machine: builds and downloads are not repeated.
func (r *reader) environment() []string {
	home := r.t.TempDir()
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + home,
		"TMPDIR=" + r.t.TempDir(),
		"GOPATH=" + filepath.Join(home, "go"),
		"GOCACHE=" + goEnv(r.t, "GOCACHE"),
		"GOMODCACHE=" + goEnv(r.t, "GOMODCACHE"),
		"GOFLAGS=-modcacherw",
		"GOPROXY=file://" + r.checkout.proxy + "," + goEnv(r.t, "GOPROXY"),
		"GONOSUMDB=" + modulePath,
		"GOTOOLCHAIN=local",
		"REALTIME_LISTEN=127.0.0.1:" + r.ports.Replace("8080"),
		"REALTIME_ADMIN_LISTEN=127.0.0.1:" + r.ports.Replace("8081"),
		"REALTIME_API_URL=http://127.0.0.1:" + r.ports.Replace("8080"),
		"REALTIME_URL=ws://127.0.0.1:" + r.ports.Replace("8080") + "/ws",
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	value, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatalf("go env %s: %v", name, err)
	}
	return strings.TrimSpace(string(value))
}

// read runs a block, or holds what it shows against what happened before.
func (r *reader) read(b block) {
	r.t.Helper()
	b.Text = strings.ReplaceAll(r.ports.Replace(b.Text), tokenHere, r.token)
	switch {
	case b.has("skip"):
	case b.Language == "sh":
		r.runShell(b)
	case b.Language == "text":
		r.expect(b)
	case b.has("browser"):
		r.openPage().run(b)
	case b.has("file"):
		r.save(b)
	default:
		r.t.Fatalf("%s: the block of language %q does not say how it is run; give a reason with skip=… if it cannot be", b.Place, b.Language)
	}
}

func (r *reader) runShell(b block) {
	r.t.Helper()
	r.last = r.terminal(b.Options["terminal"])
	r.last.clear()
	port, keepsRunning := b.Options["wait"]
	defer r.noteToken()
	if !keepsRunning {
		r.last.run(b)
		return
	}
	r.last.enter(b)
	address := "127.0.0.1:" + r.ports.Replace(port)
	if err := within(blockTime, func() bool { r.last.check(b); return answers(address) }); err != nil {
		r.t.Fatalf("%s: %s does not answer; the terminal shows:\n%s", b.Place, address, r.last.screen())
	}
}

// noteToken keeps the token that a block has printed, if it has.
func (r *reader) noteToken() {
	if found := tokenPattern.FindAllString(r.last.screen(), -1); len(found) > 0 {
		r.token = found[len(found)-1]
	}
}

func answers(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

func (r *reader) terminal(name string) *terminal {
	if r.terminals[name] == nil {
		r.terminals[name] = openTerminal(r.t, r.checkout.folder, r.environ)
	}
	return r.terminals[name]
}

func (r *reader) expect(b block) {
	r.t.Helper()
	lines := r.last.lines
	if b.Options["from"] == "browser" {
		lines = r.openPage().lines
	}
	missing := ""
	err := within(outputTime, func() bool { missing = missingLine(b.Text, lines()); return missing == "" })
	if err != nil {
		r.t.Fatalf("%s: this line is not there: %s\nwhat there is:\n%s", b.Place, missing, strings.Join(lines(), "\n"))
	}
}

// save writes a block into a file of the folder that the terminal is in.
func (r *reader) save(b block) {
	r.t.Helper()
	file := filepath.Join(r.terminal(b.Options["terminal"]).folder(), b.Options["file"])
	if err := os.WriteFile(file, []byte(b.Text), 0o644); err != nil {
		r.t.Fatalf("%s: %v", b.Place, err)
	}
}

func (r *reader) openPage() *page {
	if r.page == nil {
		r.page = openPage(r.t, r.ports.Replace(pagePort))
	}
	return r.page
}
