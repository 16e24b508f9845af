//go:build linux

// Command load is the client side of the benchmark: it opens many WebSocket
// connections, has the server publish, and counts and times every delivery.
//
// It is cheap, so that it is not what limits the figures: one thread, its own
// epoll, non-blocking sockets, one large read buffer, frame headers parsed in
// place. Run it with GOMAXPROCS=1, pinned to another core than the server.
//
// Every connection must receive every message once and in order. Anything else
// ends the run with an error that says which connection and message. The
// figures are printed on standard output as JSON (package report).
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/report"
	"boundary-app.org/realtime/bench/internal/token"
)

type options struct {
	public      string
	control     string
	pid         int
	cpus        cpuFlag
	connections int
	stalled     int
	hello       string
	idle        bool
	settle      time.Duration
	tls         bool
	phases      phaseFlag
}

// phase is one named plan, from -phase name:mode=burst&inflight=64.
type phase struct {
	name string
	plan control.Plan
}

type phaseFlag []phase

func (f *phaseFlag) String() string { return fmt.Sprintf("%d phases", len(*f)) }

func (f *phaseFlag) Set(s string) error {
	name, query, _ := strings.Cut(s, ":")
	values, err := url.ParseQuery(query)
	if err != nil {
		return err
	}
	plan, err := control.ParsePlan(values)
	if err != nil {
		return err
	}
	*f = append(*f, phase{name: name, plan: plan})
	return nil
}

type cpuFlag []int

func (f *cpuFlag) String() string { return fmt.Sprint(*f) }

func (f *cpuFlag) Set(s string) error {
	cpu, err := strconv.Atoi(s)
	*f = append(*f, cpu)
	return err
}

func main() {
	var o options
	flag.StringVar(&o.public, "public", "", "host:port of the server's WebSocket listener")
	flag.StringVar(&o.control, "control", "", "host:port of the server's control listener")
	flag.IntVar(&o.pid, "pid", 0, "process id of the server, to read its CPU time and memory")
	flag.Var(&o.cpus, "cpu", "CPU that the server or this process is pinned to, repeatable")
	flag.IntVar(&o.connections, "connections", 1000, "connections to open and count")
	flag.IntVar(&o.stalled, "stalled", 0, "further connections that stop reading once they are open")
	flag.StringVar(&o.hello, "hello", "", "text message to send first on every connection")
	flag.BoolVar(&o.idle, "idle", false, "measure memory and goroutines with all connections idle")
	flag.DurationVar(&o.settle, "settle", 0, "time between the last connect and the first look at memory (with -idle)")
	flag.BoolVar(&o.tls, "tls", false, "open TLS connections and only hold them (with -idle)")
	flag.Var(&o.phases, "phase", "name:query of a plan to publish, repeatable")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	runtime.LockOSThread()
	secret, err := token.Secret()
	if err != nil {
		return err
	}
	if o.connections < 1 || o.stalled < 0 || o.connections+o.stalled > maxConnections {
		return fmt.Errorf("-connections and -stalled must be within 1 and %d together", maxConnections)
	}
	if o.tls && len(o.phases) > 0 {
		return errors.New("-tls holds connections and takes no -phase")
	}
	r, err := measure(o, secret)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func measure(o options, secret []byte) (r report.Report, err error) {
	server := &server{control: "http://" + o.control, pid: o.pid, cpus: o.cpus}
	r.Connections = o.connections
	if o.idle {
		if r.Idle, err = server.empty(); err != nil {
			return r, err
		}
	}
	tokens, err := mint(secret, o.connections+o.stalled)
	if err != nil {
		return r, err
	}
	hold := holdPlain
	if o.tls {
		hold = holdTLS
	}
	return r, hold(o, server, tokens, &r)
}
