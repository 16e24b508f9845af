package wsconformance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// mutant is a mistake in our own parser: an expression, and a wrong one in its place. The group must
// fail on it.
type mutant struct {
	file, right, wrong string
	group              string
}

const never, always = "false", "true"

var mutants = []mutant{
	{"partial.go", "p.head.masked", "p.head.masked && p.arrived == 0", "1"},
	{"head.go", "h.op.control() && length > maxControl", never, "2"},
	{"head.go", "first&(bitRSV&^bitRSV1) != 0", never, "3"},
	{"head.go", "h.rsv1 && !s.deflate", never, "3"},
	{"head.go", "!h.op.known()", never, "4"},
	{"head.go", "h.op.control() && !h.fin", never, "5"},
	{"head.go", "h.op == OpContinuation && !s.open", never, "5"},
	{"head.go", "h.op != OpContinuation && !h.op.control() && s.open", never, "5"},
	{"reader.go", "h.op == OpText && !utf8.Valid(payload)", never, "6"},
	{"partial.go", "utf8.Valid(b[:n])", always, "6"},
	{"partial.go", "op == OpText && p.valid < len(p.data)", never, "6"},
	{"partial.go", "p.op != OpText || p.compressed", "p.op != OpText || p.compressed || !p.head.fin || p.arrived < p.head.length", "6"},
	{"reader.go", "len(body) == 1", "len(body) > 125", "7"},
	{"reader.go", "!ValidCloseCode(code)", never, "7"},
	{"reader.go", "!utf8.Valid(reason)", never, "7"},
	{"inflate.go", "len(d.out) > limit", never, "limits"},
	{"head.go", "length > uint64(limit-s.held)", "length > uint64(limit)", "limits"},
	{"head.go", "h.rsv1 && (h.op.control() || h.op == OpContinuation)", "h.rsv1 && h.op.control()", "beyond"},
	{"head.go", "!h.masked && !s.client", never, "beyond"},
	{"head.go", "long < least", never, "beyond"},
	{"head.go", "long>>63 != 0", never, "beyond"},
	{"reader.go", "op == OpText && !utf8.Valid(data)", never, "beyond"},
	{"extension.go", "twice || !validParam(p)", never, "handshake"},
	{"extension.go", "window == maxWindow", always, "13"},
	{"handshake.go", "!validKey(r.Header[headerKey])", never, "handshake"},
	{"handshake.go", "!slices.Equal(r.Header[headerVersion], []string{version})", never, "handshake"},
}

// choose is what mutated expressions call. All mutants are in one program, which is built once; the
// environment says which of them lives.
const choose = `package socket

import "os"

var mutant = os.Getenv("MUTANT")

func mutated[T any](name string, right, wrong T) T {
	if name == mutant {
		return wrong
	}
	return right
}
`

func TestMutantsAreCaught(t *testing.T) {
	t.Parallel()
	program := buildMutants(t)
	o := Options{Limit: 1 << 20, Compression: true, Timeout: 2 * time.Second}
	start := func(t *testing.T, number int) (address string) {
		return startEcho(t, program, fmt.Sprint("MUTANT=", number), "-compression", "-max-message", fmt.Sprint(o.Limit))
	}
	for i, m := range mutants {
		t.Run(m.file+" "+m.right, func(t *testing.T) {
			t.Parallel()
			o := o
			o.Groups = []string{m.group}
			if !caught(run(t, start(t, i+1), o)) {
				t.Errorf("group %s passes with %q in place of %q", m.group, m.wrong, m.right)
			}
		})
	}
	t.Run("none of them", func(t *testing.T) {
		t.Parallel()
		o := o
		o.Timeout, o.Patience = time.Minute, time.Minute
		o.Groups = []string{"1", "2", "3", "4", "5", "6", "7", "13", "limits", "beyond", "handshake"}
		check(t, run(t, start(t, 0), o), false)
	})
}

// caught reports whether a case failed, or is not strict.
func caught(report Report) (found bool) {
	report.Each(Failed, func(string, Result) { found = true })
	report.Each(NonStrict, func(string, Result) { found = true })
	return found
}

// buildMutants builds the echo command with every mutant in it.
func buildMutants(t *testing.T) (program string) {
	t.Helper()
	source, err := filepath.Abs("../socket")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	changed := map[string]string{}
	for i, m := range mutants {
		if changed[m.file] == "" {
			changed[m.file] = readFile(t, filepath.Join(source, m.file))
		}
		if n := strings.Count(changed[m.file], m.right); n != 1 {
			t.Fatalf("%s has %q %d times, want once", m.file, m.right, n)
		}
		call := fmt.Sprintf("mutated(%q, %s, %s)", fmt.Sprint(i+1), m.right, m.wrong)
		changed[m.file] = strings.Replace(changed[m.file], m.right, call, 1)
	}
	changed["mutated.go"] = choose
	replace := map[string]string{}
	for file, content := range changed {
		replace[filepath.Join(source, file)] = writeFile(t, filepath.Join(dir, file), content)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "echo.exe")
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", writeFile(t, filepath.Join(dir, "overlay.json"), string(overlay)), "-o", program, "./echo")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// startEcho starts the echo command and returns the address it prints.
func startEcho(t *testing.T, program, env string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append(args, "-listen", "127.0.0.1:0")...)
	cmd.Env = append(os.Environ(), env)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait() // it was killed, or the mutant crashed it
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("the echo command printed %q, %v", line, err)
	}
	return address
}
