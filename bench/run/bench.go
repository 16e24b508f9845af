//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
)

// bench is one whole run.
type bench struct {
	options
	scenarios []scenario
	servers   []program
	secret    string
	progress  io.Writer
}

// all measures every scenario with every server, round by round. It goes on
// after a failure; the error holds all of them.
func (b *bench) all(ctx context.Context) (*results, error) {
	results := newResults()
	if runtime.NumCPU() < 2 {
		return results, errors.New("two CPUs are needed, one for the server and one for the load client")
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		return results, fmt.Errorf("install util-linux, which has taskset: %w", err)
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return results, err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(b.progress, "building")
	if err := build(ctx, dir, b.servers); err != nil {
		return results, err
	}
	p := pair{dir: dir, secret: b.secret, serverCPU: b.serverCPU, clientCPU: b.clientCPU}
	var failures []error
	for _, s := range b.scenarios {
		for round := range b.rounds {
			failures = append(failures, b.round(ctx, p, s, round, results)...)
		}
	}
	return results, errors.Join(failures...)
}

func (b *bench) round(ctx context.Context, p pair, s scenario, round int, into *results) (failures []error) {
	for _, server := range b.servers {
		if !s.runsWith(server.name) {
			continue
		}
		if ctx.Err() != nil {
			return append(failures, ctx.Err())
		}
		fmt.Fprintf(b.progress, "%s, round %d of %d: %s\n", s.name, round+1, b.rounds, server.name)
		r, err := p.measure(ctx, server, s)
		if err != nil {
			err = fmt.Errorf("%s, round %d, %s: %w", s.name, round+1, server.name, err)
			fmt.Fprintln(b.progress, err)
			failures = append(failures, err)
			continue
		}
		into.add(s, server.name, round, r)
	}
	return failures
}
