//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/proc"
	"boundary-app.org/realtime/bench/internal/report"
)

const (
	// settle is how long a phase listens on for messages that nobody sent.
	settle = 20 * time.Millisecond
	// phaseGrace is how much longer than planned a phase may take.
	phaseGrace = time.Minute
)

// holdPlain opens the connections, measures, and publishes the phases.
func holdPlain(o options, s *server, tokens []string, r *report.Report) error {
	c, err := newClient(o.hello)
	if err != nil {
		return err
	}
	defer c.close()
	if c.count.acks, err = dialAcks(o.control); err != nil {
		return err
	}
	defer unix.Close(c.count.acks)
	r.Connect, err = timed(s, func() error {
		if err := c.open(o.public, tokens, o.stalled); err != nil {
			return err
		}
		return s.reached(len(tokens), openLimit)
	})
	if err == nil && o.idle {
		err = s.idle(r.Idle, o.settle)
	}
	if err != nil {
		return err
	}
	r.Phases, err = c.run(s, o.phases, o.connections)
	return err
}

func (c *client) run(s *server, phases []phase, connections int) (figures []report.Phase, err error) {
	for _, p := range phases {
		f, err := c.phase(s, p, connections)
		if err != nil {
			return nil, fmt.Errorf("phase %q: %w", p.name, err)
		}
		figures = append(figures, f)
	}
	return figures, nil
}

// timed measures the server's CPU time while connect runs.
func timed(s *server, connect func() error) (report.Connect, error) {
	before, err := proc.CPU(s.pid)
	if err != nil {
		return report.Connect{}, err
	}
	start := time.Now()
	if err := connect(); err != nil {
		return report.Connect{}, err
	}
	wall := time.Since(start)
	after, err := proc.CPU(s.pid)
	return report.Connect{Wall: wall, ServerCPU: after - before}, err
}

// dialAcks opens the stream of acknowledgements.
func dialAcks(address string) (int, error) {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return 0, fmt.Errorf("-control: %w", err)
	}
	fd, err := dial(target, sourceOf(0), false)
	if err != nil {
		return 0, err
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		return 0, err
	}
	if err := writeWhole(fd, fmt.Appendf(nil, "GET /control/acks HTTP/1.1\r\nHost: %s\r\n\r\n", address)); err != nil {
		return 0, err
	}
	answer := make([]byte, 512)
	n, err := unix.Read(fd, answer)
	if err != nil || !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 101 ")) {
		return 0, fmt.Errorf("acknowledgements refused: %.100q, error %w", answer[:n], err)
	}
	return fd, nil
}

// usage is what had been used at one moment.
type usage struct {
	server, client time.Duration
	cpus           time.Duration // of server and client, by anyone
	rss            int64
}

func (s *server) usage() (u usage, err error) {
	var errs [4]error
	u.server, errs[0] = proc.CPU(s.pid)
	u.client, errs[1] = proc.CPU(os.Getpid())
	u.cpus, errs[2] = proc.Busy(s.cpus)
	u.rss, errs[3] = proc.RSS(s.pid)
	return u, errors.Join(errs[:]...)
}

// phase has the server publish one plan and counts every delivery.
func (c *client) phase(s *server, p phase, connections int) (report.Phase, error) {
	if p.plan.Targets > 0 {
		p.plan.Among = connections
	}
	c.expect(p.plan, connections)
	before, err := s.usage()
	if err != nil {
		return report.Phase{}, err
	}
	result, err := c.publish(s, p.plan)
	if err != nil {
		return report.Phase{}, err
	}
	after, err := s.usage()
	if err != nil {
		return report.Phase{}, err
	}
	if err := c.verify(result.Sent); err != nil {
		return report.Phase{}, err
	}
	stats, err := s.stats()
	h, server, client := &c.count.latency, after.server-before.server, after.client-before.client
	return report.Phase{
		Name: p.name, Sent: result.Sent, Deliveries: h.Count(), Wall: result.Wall,
		ServerCPU: server, ClientCPU: client, Others: max(after.cpus-before.cpus-server-client, 0),
		P50: h.Quantile(0.5), P99: h.Quantile(0.99), Max: h.Max(),
		RSSGrowth: after.rss - before.rss, StalledCut: len(c.conns) - stats.Connections,
	}, err
}

// expect sets which messages are due at each connection.
func (c *client) expect(plan control.Plan, connections int) {
	c.count.reset(plan, connections)
	for i := range c.conns {
		c.conns[i].next, c.conns[i].step = none, 1
	}
	if plan.Targets == 0 {
		for i := range connections {
			c.conns[i].next = 0
		}
		return
	}
	for seq := range uint64(plan.Targets) {
		target := &c.conns[plan.TargetOf(seq)]
		target.next, target.step = seq, uint64(plan.Targets)
	}
}

// publish runs the loop until the server has answered and nothing more comes.
func (c *client) publish(s *server, plan control.Plan) (result control.Result, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), plan.For+phaseGrace)
	var publishErr error
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		result, publishErr = s.publish(ctx, plan)
		publishErr = errors.Join(publishErr, c.signal())
	}()
	err = c.untilWoken()
	cancel()
	<-answered
	c.awake()
	if err != nil {
		return result, err
	}
	if publishErr != nil {
		return result, errors.Join(publishErr, c.missing())
	}
	return result, c.drain()
}

// untilWoken handles events until signal is called.
func (c *client) untilWoken() error {
	for {
		if _, woken, err := c.turn(time.Second); woken || err != nil {
			return err
		}
	}
}

// drain handles events until none come for a moment.
func (c *client) drain() error {
	for {
		n, _, err := c.turn(settle)
		if err != nil || n == 0 {
			return err
		}
	}
}

// missing says which connection is furthest behind.
func (c *client) missing() error {
	last := 0
	for i := range c.conns {
		if c.conns[i].next < c.conns[last].next {
			last = i
		}
	}
	return fmt.Errorf("connection %d lacks message %d; %d messages have arrived everywhere", last, c.conns[last].next, c.count.complete)
}

// verify checks that each connection has had all that was sent, and no more.
func (c *client) verify(sent uint64) error {
	for i := range c.conns {
		cn := &c.conns[i]
		if cn.next != none && (cn.next < sent || cn.next >= sent+cn.step) {
			return fmt.Errorf("connection %d: message %d is due after all %d were sent: %w", i, cn.next, sent, errOrder)
		}
	}
	want := sent * uint64(c.count.need)
	if got := c.count.latency.Count(); got != want || c.count.complete != sent {
		return fmt.Errorf("%d of %d deliveries, %d of %d messages complete: %w", got, want, c.count.complete, sent, errOrder)
	}
	return nil
}
