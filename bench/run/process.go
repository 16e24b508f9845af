//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/report"
	"boundary-app.org/realtime/bench/internal/token"
)

const (
	module    = "boundary-app.org/realtime/bench/"
	runLimit  = 10 * time.Minute
	stopLimit = 10 * time.Second
)

// program is one server program and how to talk to it.
type program struct {
	name   string
	folder string // below servers/
	args   []string
	hello  string // what clients send first
}

const centrifugeHello = `{"id":1,"connect":{}}`

// ours is this project's server.
const ours = "boundary"

var allServers = []program{
	{name: floorWrite, folder: "floorwrite"},
	{name: floorJoined, folder: "floorjoined"},
	{name: ours, folder: "boundary"},
	{name: "gorilla", folder: "gorilla"},
	{name: "gorilla-chat", folder: "gorilla", args: []string{"-join"}},
	{name: "coder", folder: "coder"},
	{name: "gws", folder: "gws"},
	{name: "melody", folder: "melody"},
	{name: "centrifuge", folder: "centrifuge", hello: centrifugeHello},
	{name: "centrifuge-delay", folder: "centrifuge", args: []string{"-write-delay", "5ms"}, hello: centrifugeHello},
}

func (p program) id() string { return p.name }

// build compiles the load client and the servers into dir.
func build(ctx context.Context, dir string, servers []program) error {
	args := []string{"build", "-o", dir, module + "load"}
	seen := map[string]bool{}
	for _, s := range servers {
		if !seen[s.folder] {
			seen[s.folder] = true
			args = append(args, module+"servers/"+s.folder)
		}
	}
	if out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// pair is one server process with one load client.
type pair struct {
	dir       string // of the programs
	secret    string
	serverCPU int
	clientCPU int
}

// measure starts the server, runs the scenario against it and stops it.
func (p pair) measure(ctx context.Context, server program, s scenario) (r report.Report, err error) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	process := p.command(ctx, p.serverCPU, server.folder, s.serverArguments(server))
	process.Stderr = os.Stderr
	addresses, stop, err := start(process)
	if err != nil {
		return r, fmt.Errorf("server: %w", err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	load := p.command(ctx, p.clientCPU, "load", append(s.loadArguments(),
		"-public", addresses.Public, "-control", addresses.Control,
		"-cpu", strconv.Itoa(p.serverCPU), "-cpu", strconv.Itoa(p.clientCPU),
		"-pid", strconv.Itoa(process.Process.Pid), "-hello", server.hello))
	load.Env = append(load.Env, "GOMAXPROCS=1")
	var failure bytes.Buffer
	load.Stderr = &failure
	out, err := load.Output()
	if err != nil {
		return r, fmt.Errorf("%w: %s", err, bytes.TrimSpace(failure.Bytes()))
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, fmt.Errorf("read the report: %w", err)
	}
	return r, nil
}

// command pins a program to a CPU. taskset becomes the program, so that the
// process id is that of the program.
func (p pair) command(ctx context.Context, cpu int, name string, args []string) *exec.Cmd {
	pinned := append([]string{"-c", strconv.Itoa(cpu), filepath.Join(p.dir, name)}, args...)
	c := exec.CommandContext(ctx, "taskset", pinned...)
	c.Env = append(os.Environ(), token.SecretVariable+"="+p.secret)
	c.WaitDelay = stopLimit
	return c
}

// start waits until the server accepts connections. It stops when its standard
// input ends, which is also what happens when this process dies.
func start(process *exec.Cmd) (addresses control.Addresses, stop func() error, err error) {
	in, err := process.StdinPipe()
	if err != nil {
		return addresses, nil, err
	}
	out, err := process.StdoutPipe()
	if err != nil {
		return addresses, nil, err
	}
	if err := process.Start(); err != nil {
		return addresses, nil, err
	}
	stop = func() error { return stopProcess(process, in) }
	if err := json.NewDecoder(out).Decode(&addresses); err != nil {
		return addresses, nil, errors.Join(fmt.Errorf("did not start: %w", err), stop())
	}
	return addresses, stop, nil
}

func stopProcess(process *exec.Cmd, in io.Closer) error {
	late := time.AfterFunc(stopLimit, func() { _ = process.Process.Kill() })
	defer late.Stop()
	return errors.Join(in.Close(), process.Wait())
}
