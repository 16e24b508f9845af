//go:build linux

// Command run measures the server of this project against the floor of the
// machine and against other Go libraries, and prints one table in Markdown.
//
//	go run ./run                                  all of it, about 20 minutes
//	go run ./run -quick                           a small version, about a minute
//	go run ./run -scenarios fan-1k -servers floor,boundary,centrifuge -rounds 5
//	go run ./run -markdown table.md               write the table to a file too
//
// # What runs
//
// Each measurement is a fresh server process (servers/...), pinned to one CPU,
// and one load client (load), pinned to another, on loopback. The servers run
// one after another within a round, so that a disturbance of the machine meets
// all of them alike; the table shows medians over the rounds. Ratios are taken
// within a round and then their median: compare those, not figures from
// different days.
//
// The load client opens all connections, each with its own HS256 token, then
// has the server publish messages with a payload of 128 octets. Every delivery
// is counted and checked: each connection must receive each message once, in
// order and whole. A server that fails this is reported, and the exit status
// is 1. The servers:
//
//	floor-write       a frame built once, one send(2) per connection and message
//	floor-joined      waiting frames joined once, one send(2) per connection
//	boundary          this project, through its public API
//	gorilla           gorilla/websocket, the hub of its chat example, one frame per message
//	gorilla-chat      the same with the example's joining of waiting messages
//	coder             coder/websocket, the server of its chat example
//	gws               lxzan/gws with its Broadcaster
//	melody            olahol/melody with Broadcast
//	centrifuge        centrifugal/centrifuge, node.Publish to a channel
//	centrifuge-delay  the same with a write delay of 5 ms, for high message rates
//
// The floors check no token, hold no state and read nothing. The scenarios:
//
//	fan-1k, fan-10k    broadcast to 1,000 and 10,000 connections: one message in
//	                   flight, 16 in flight, bursts of 64, and a fixed rate of
//	                   100,000 deliveries/s
//	idle-5k, idle-15k  memory and goroutines with idle connections, and the CPU
//	                   time of connecting them
//	user-100, user-15k send to 100 users in turn, among so many connections (boundary)
//	topics-10k         publish to 10,000 topics in turn, each of which has one
//	                   subscriber (boundary, gws)
//	slow-0, slow-1     paced messages to 1,000 connections, without and with one
//	                   more that does not read (boundary)
//	tls-5k             idle connections over TLS (boundary)
//
// # What the columns mean
//
//   - A message is in flight until it has arrived at every connection: the load
//     client acknowledges it to the server on a connection of its own.
//   - CPU is the time of all threads of the server process, from /proc, per
//     million deliveries. On loopback it includes the kernel's delivery to the
//     receiving socket.
//   - Latency runs from just before the publish call to the load client's read.
//   - RSS per connection is that of the whole process, less that of the same
//     process before the first connection: settled is as it stands 30 s after the
//     last connect, collected is after a forced collection. The kernel's socket
//     memory is not in it.
//   - Client busy is the load client's CPU time over wall time. Where it is near
//     100 %, deliveries/s and latency are limited by the client; CPU is not.
//   - Others busy is how much of the two CPUs other processes took. Where it is
//     more than a few per cent, deliveries/s and latency say little: run again
//     on a quiet machine.
//
// A process may hold some 19,800 connections under the usual limit of 20,000
// descriptors.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
)

type options struct {
	scenarios string
	servers   string
	rounds    int
	length    time.Duration
	quick     bool
	markdown  string
	serverCPU int
	clientCPU int
}

func main() {
	var o options
	flag.StringVar(&o.scenarios, "scenarios", "", "comma-separated names, or beginnings of names (default all)")
	flag.StringVar(&o.servers, "servers", "", "comma-separated names, or beginnings of names (default all)")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds to take medians over")
	flag.DurationVar(&o.length, "for", 2*time.Second, "length of each publishing phase")
	flag.BoolVar(&o.quick, "quick", false, "one round, a tenth of the connections, short phases")
	flag.StringVar(&o.markdown, "markdown", "", "file to write the table to, besides standard output")
	flag.IntVar(&o.serverCPU, "server-cpu", 0, "CPU to pin the server to")
	flag.IntVar(&o.clientCPU, "client-cpu", 1, "CPU to pin the load client to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, out, progress io.Writer) error {
	scale := fullScale(o.length)
	if o.quick {
		scale, o.rounds = quickScale, 1
	}
	scenarios, err := choose("scenario", o.scenarios, allScenarios(scale), scenario.id)
	if err != nil {
		return err
	}
	servers, err := choose("server", o.servers, allServers, program.id)
	if err != nil {
		return err
	}
	b := &bench{options: o, scenarios: scenarios, servers: servers, secret: rand.Text() + rand.Text(), progress: progress}
	results, runErr := b.all(ctx)
	table := results.markdown()
	if _, err := io.WriteString(out, table); err != nil {
		return fmt.Errorf("write the table: %w", errors.Join(runErr, err))
	}
	if o.markdown != "" {
		runErr = errors.Join(runErr, os.WriteFile(o.markdown, []byte(table), 0o644))
	}
	return runErr
}

// choose returns those items whose name is in the comma-separated list, or else
// begins with an entry of it; all of them for an empty list.
func choose[T any](kind, list string, all []T, name func(T) string) ([]T, error) {
	if list == "" {
		return all, nil
	}
	chosen := make([]bool, len(all))
	for entry := range strings.SplitSeq(list, ",") {
		exact := func(s string) bool { return s == entry }
		begins := func(s string) bool { return entry != "" && strings.HasPrefix(s, entry) }
		if !mark(chosen, all, name, exact) && !mark(chosen, all, name, begins) {
			return nil, fmt.Errorf("no %s is called %q or begins so", kind, entry)
		}
	}
	var result []T
	for i, item := range all {
		if chosen[i] {
			result = append(result, item)
		}
	}
	return result, nil
}

func mark[T any](chosen []bool, all []T, name func(T) string, match func(string) bool) (found bool) {
	for i, item := range all {
		if match(name(item)) {
			chosen[i], found = true, true
		}
	}
	return found
}
