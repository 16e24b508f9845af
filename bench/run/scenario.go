//go:build linux

package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"boundary-app.org/realtime/bench/internal/control"
)

// scale is the size of a whole run.
type scale struct {
	divide int           // connections are divided by it
	warm   time.Duration // length of the phase that is not reported
	length time.Duration // length of the others
	settle time.Duration // from the last connect to the look at idle memory
}

func fullScale(length time.Duration) scale {
	return scale{divide: 1, warm: 300 * time.Millisecond, length: length, settle: 30 * time.Second}
}

var quickScale = scale{divide: 10, warm: 50 * time.Millisecond, length: 150 * time.Millisecond}

// scenario is one set of connections and what is done with them.
type scenario struct {
	name        string
	connections int
	stalled     int
	idle        bool
	settle      time.Duration
	tls         bool
	topics      bool     // each connection has one of its own
	only        []string // the servers it runs with; empty: all
	phases      []phase
}

// phase is one publishing plan; a phase without a title is not reported.
type phase struct {
	title string
	plan  control.Plan
}

const (
	payloadSize = 128
	pacedRate   = 100_000 // deliveries per second

	// With a slow reader: larger messages, for the backlog to fill in time.
	slowSize   = 4 << 10
	slowRate   = 50_000
	slowFactor = 5 // times the length of other phases
)

func (s scenario) id() string { return s.name }

// runsWith reports whether the scenario runs with a server.
func (s scenario) runsWith(server string) bool {
	return len(s.only) == 0 || slices.Contains(s.only, server)
}

// serverArguments are those of a server for this scenario.
func (s scenario) serverArguments(p program) []string {
	switch {
	case s.tls:
		return []string{"-tls"}
	case s.topics:
		return []string{"-topics"}
	}
	return p.args
}

func allScenarios(sc scale) []scenario {
	return []scenario{
		sc.fan("fan-1k", 1_000),
		sc.fan("fan-10k", 10_000),
		sc.idle("idle-5k", 5_000),
		sc.idle("idle-15k", 15_000),
		sc.user("user-100", 100),
		sc.user("user-15k", 15_000/sc.divide),
		sc.ownTopics("topics-10k", 10_000/sc.divide),
		sc.slow("slow-0", 0),
		sc.slow("slow-1", 1),
		sc.tls("tls-5k", 5_000),
	}
}

func (sc scale) fan(name string, connections int) scenario {
	n := connections / sc.divide
	return scenario{name: name, connections: n, phases: []phase{
		sc.warmUp(),
		{"one in flight", sc.plan(control.Window, 1)},
		{"16 in flight", sc.plan(control.Window, 16)},
		{"bursts of 64", sc.plan(control.Burst, 64)},
		{"100,000 deliveries/s", sc.paced(n, pacedRate)},
	}}
}

func (sc scale) idle(name string, connections int) scenario {
	return scenario{name: name, connections: connections / sc.divide, idle: true, settle: sc.settle}
}

func (sc scale) user(name string, connections int) scenario {
	const targets = 100
	one, many := sc.plan(control.Window, 1), sc.plan(control.Window, 64)
	one.Targets, many.Targets = targets, targets
	one.Among, many.Among = connections, connections
	return scenario{name: name, connections: connections, only: []string{ours}, phases: []phase{
		sc.warmUp(),
		{"to a user, one in flight", one},
		{"to a user, 64 in flight", many},
	}}
}

// ownTopics publishes to one subscriber after the other.
func (sc scale) ownTopics(name string, connections int) scenario {
	to := func(inFlight int, length time.Duration) control.Plan {
		p := sc.plan(control.Window, inFlight)
		p.Targets, p.Among, p.Topics, p.For = connections, connections, true, length
		return p
	}
	return scenario{name: name, connections: connections, topics: true, only: []string{ours, "gws"}, phases: []phase{
		{plan: to(16, sc.warm)},
		{"to a topic of one, one in flight", to(1, sc.length)},
		{"to a topic of one, 64 in flight", to(64, sc.length)},
	}}
}

func (sc scale) slow(name string, stalled int) scenario {
	n := 1_000 / sc.divide
	p := sc.paced(n, slowRate)
	p.Size, p.For = slowSize, slowFactor*sc.length
	title := fmt.Sprintf("%s deliveries/s of 4 KiB, %d more that do not read", thousands(slowRate), stalled)
	return scenario{name: name, connections: n, stalled: stalled, only: []string{ours}, phases: []phase{
		sc.warmUp(),
		{title, p},
	}}
}

func (sc scale) tls(name string, connections int) scenario {
	return scenario{name: name, connections: connections / sc.divide, idle: true, settle: sc.settle, tls: true, only: []string{ours}}
}

func (sc scale) warmUp() phase {
	p := sc.plan(control.Burst, 4)
	p.For = sc.warm
	return phase{plan: p}
}

func (sc scale) plan(mode control.Mode, inFlight int) control.Plan {
	return control.Plan{Mode: mode, InFlight: inFlight, Messages: 1 << 30, For: sc.length, Size: payloadSize}
}

func (sc scale) paced(connections, deliveries int) control.Plan {
	p := sc.plan(control.Paced, 1)
	p.Rate = float64(deliveries) / float64(connections)
	return p
}

// title is how the table names a phase, or the idle connections, of s.
func (s scenario) title(phase string) string {
	if phase == "" {
		phase = "idle"
		if s.tls {
			phase = "idle, TLS"
		}
	}
	return thousands(s.connections) + ": " + phase
}

// loadArguments are those of the load client for this scenario.
func (s scenario) loadArguments() []string {
	args := []string{"-connections", strconv.Itoa(s.connections)}
	if s.stalled > 0 {
		args = append(args, "-stalled", strconv.Itoa(s.stalled))
	}
	if s.idle {
		args = append(args, "-idle", "-settle", s.settle.String())
	}
	if s.tls {
		args = append(args, "-tls")
	}
	for _, p := range s.phases {
		args = append(args, "-phase", p.title+":"+p.plan.Query().Encode())
	}
	return args
}

// thousands writes n with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
