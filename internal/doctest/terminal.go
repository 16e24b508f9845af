//go:build unix

package doctest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// blockTime bounds one block: a cold build is part of some.
	blockTime = 4 * time.Minute
	// outputTime bounds the wait for what a block that has run brings about.
	outputTime = time.Minute
)

// pollInterval is the time between two looks at what a block brings about.
const pollInterval = 20 * time.Millisecond

// terminal is a shell that keeps its folder and variables from block to block.
type terminal struct {
	t     *testing.T
	stdin io.WriteCloser
	dir   string // of the blocks' files
	runs  int

	mu      sync.Mutex
	printed []string // guarded by mu; lines of both outputs
	ended   bool     // guarded by mu
}

// The lines that the shell prints about blocks, which no document contains.
const (
	endMark    = "\x01end of block"
	failedMark = "\x01failed: "
)

func openTerminal(t *testing.T, folder string, environ []string) *terminal {
	t.Helper()
	cmd := exec.Command("bash", "--noprofile", "--norc")
	cmd.Dir, cmd.Env = folder, environ
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what blocks leave running ends with it
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatalf("start a terminal: %v", err)
	}
	_ = in.Close()
	term := &terminal{t: t, stdin: stdin, dir: t.TempDir()}
	var reading sync.WaitGroup
	reading.Go(func() { term.read(out) })
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		reading.Wait()
		_ = out.Close()
	})
	return term
}

func (t *terminal) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		t.mu.Lock()
		t.printed = append(t.printed, lines.Text())
		t.mu.Unlock()
	}
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
}

// enter has the shell run a block, and returns before the block has ended.
func (t *terminal) enter(b block) {
	t.t.Helper()
	t.runs++
	file := filepath.Join(t.dir, fmt.Sprintf("block%d.sh", t.runs))
	text := "trap 'echo \"" + failedMark + "$BASH_COMMAND\"' ERR\n" + b.Text
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(t.stdin, ". %s </dev/null\necho '%s' %d\n", file, endMark, t.runs); err != nil {
		t.t.Fatalf("%s: the terminal has ended: %v", b.Place, err)
	}
}

// run has the shell run a block to its end.
func (t *terminal) run(b block) {
	t.t.Helper()
	t.enter(b)
	end := fmt.Sprintf("%s %d", endMark, t.runs)
	err := within(blockTime, func() bool { return t.index(end) >= 0 || t.hasEnded() })
	if err != nil || t.hasEnded() {
		t.t.Fatalf("%s: the block did not end (%v); the terminal shows:\n%s", b.Place, err, t.screen())
	}
	t.check(b)
}

// folder returns the folder that the shell is in, at the end of a block.
func (t *terminal) folder() string {
	t.t.Helper()
	t.run(block{Place: "the shell's folder", Text: "pwd > " + filepath.Join(t.dir, "folder") + "\n"})
	folder, err := os.ReadFile(filepath.Join(t.dir, "folder"))
	if err != nil {
		t.t.Fatal(err)
	}
	return strings.TrimSpace(string(folder))
}

// check fails the test where a command of a block has failed.
func (t *terminal) check(b block) {
	t.t.Helper()
	for _, line := range t.lines() {
		if strings.HasPrefix(line, failedMark) {
			t.t.Fatalf("%s: this command failed: %s\nthe terminal shows:\n%s", b.Place, strings.TrimPrefix(line, failedMark), t.screen())
		}
	}
}

func (t *terminal) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.printed[:len(t.printed):len(t.printed)]
}

func (t *terminal) hasEnded() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended
}

// clear forgets what was printed.
func (t *terminal) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.printed = nil
}

func (t *terminal) index(line string) int {
	for i, printed := range t.lines() {
		if printed == line {
			return i
		}
	}
	return -1
}

func (t *terminal) screen() string { return strings.Join(t.lines(), "\n") }

var errLate = errors.New("it took too long")

// within waits until a condition holds.
func within(limit time.Duration, holds func() bool) error {
	timeout, ticker := time.After(limit), time.NewTicker(pollInterval)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-timeout:
			return errLate
		}
	}
	return nil
}
