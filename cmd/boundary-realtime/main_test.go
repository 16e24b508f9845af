package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asProgram makes the test binary the program, so that the tests drive the real
// thing, in a process of its own.
const asProgram = "TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

const patience = time.Minute

// process is the program, running.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout transcript
	stderr transcript
	exited chan int
}

func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.CommandContext(context.Background(), executable, args...), exited: make(chan int, 1)}
	p.cmd.Env = append([]string{asProgram + "=1", "PATH=" + os.Getenv("PATH")}, env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.cmd.Wait() // the exit code says it all
		p.exited <- p.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-done
	})
	return p
}

// exit waits for the end and returns the exit code.
func (p *process) exit() int {
	p.t.Helper()
	select {
	case code := <-p.exited:
		return code
	case <-time.After(patience):
		p.t.Fatalf("the program does not end:\n%s", p.stderr.String())
		return 0
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

var listening = regexp.MustCompile(`"public":"(https?://[^"]+)","admin":"(http://[^"]+)"`)

// serve starts a server on ports of its own and returns where it listens.
func serve(t *testing.T, env ...string) (p *process, public, admin string) {
	t.Helper()
	presets := []string{"REALTIME_LISTEN=127.0.0.1:0", "REALTIME_ADMIN_LISTEN=127.0.0.1:0", "REALTIME_DRAIN_DELAY=0s"}
	p = start(t, append(presets, env...), "serve")
	urls := p.stderr.wait(t, listening)
	return p, urls[1], urls[2]
}

// run carries out a command in this process.
func run(t *testing.T, env []string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := program{environ: env, stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs}
	code = p.run(t.Context(), args)
	return code, out.String(), errs.String()
}

// transcript is what a process writes.
type transcript struct {
	mu      sync.Mutex
	text    bytes.Buffer  // guarded by mu
	changed chan struct{} // guarded by mu; closed at the next write
}

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.changed != nil {
		close(tr.changed)
		tr.changed = nil
	}
	return tr.text.Write(p)
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.String()
}

// wait returns the first match, and its groups, once there is one.
func (tr *transcript) wait(t *testing.T, pattern *regexp.Regexp) []string {
	t.Helper()
	timeout := time.After(patience)
	for {
		match, changed := tr.find(pattern)
		if match != nil {
			return match
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("nothing matches %v in:\n%s", pattern, tr.String())
		}
	}
}

func (tr *transcript) find(pattern *regexp.Regexp) ([]string, <-chan struct{}) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.changed == nil {
		tr.changed = make(chan struct{})
	}
	return pattern.FindStringSubmatch(tr.text.String()), tr.changed
}

func TestTranscriptFindsWhatComesLater(t *testing.T) {
	t.Parallel()
	var tr transcript
	go func() {
		for _, part := range []string{"a", "b=", "7\n"} {
			if _, err := tr.Write([]byte(part)); err != nil {
				t.Error(err)
			}
		}
	}()
	if got := tr.wait(t, regexp.MustCompile(`b=(\d)`)); got[1] != "7" {
		t.Errorf("found %q", got)
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	var p program
	p.stderr = new(bytes.Buffer)
	if code := p.fail(errors.New("x")); code != 1 {
		t.Errorf("a failure exits with %d", code)
	}
	if code := p.fail(wrongUsage("x")); code != 2 {
		t.Errorf("wrong usage exits with %d", code)
	}
}
