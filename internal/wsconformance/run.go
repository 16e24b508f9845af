package wsconformance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Run points all cases at a server that echoes text and binary messages, at an address such as
// ws://127.0.0.1:9001/. It returns when all are done. The error says that the suite could not run;
// what the server does wrong is in the report.
func Run(ctx context.Context, address string, o Options) (Report, error) {
	target, err := url.Parse(address)
	if err != nil {
		return Report{}, fmt.Errorf("wsconformance: %w", err)
	}
	if target.Scheme != "ws" || target.Host == "" {
		return Report{}, fmt.Errorf("wsconformance: %q is not an address of the form ws://host:port/path", address)
	}
	groups, err := chosen(&o, server)
	if err != nil {
		return Report{}, err
	}
	var report Report
	for _, g := range groups {
		results := runGroup(ctx, g, func(c testCase) Result { return dialAndRun(ctx, target, &o, c) })
		report.Groups = append(report.Groups, GroupReport{ID: g.id, Title: g.title, Results: results})
	}
	if ctx.Err() != nil {
		return report, fmt.Errorf("wsconformance: stopped: %w", context.Cause(ctx))
	}
	return report, nil
}

// chosen returns the groups that the options ask for.
func chosen(o *Options, under role) ([]group, error) {
	all := groups(o, under)
	if len(o.Groups) == 0 {
		return all, nil
	}
	var some []group
	for _, id := range o.Groups {
		i := slices.IndexFunc(all, func(g group) bool { return g.id == id })
		if i < 0 {
			return nil, fmt.Errorf("wsconformance: there is no group %q here; the groups are %s", id, ids(all))
		}
		some = append(some, all[i])
	}
	return some, nil
}

func ids(all []group) string {
	var names []string
	for _, g := range all {
		names = append(names, g.id)
	}
	return strings.Join(names, ", ")
}

// runGroup runs the cases of a group, some at once, and returns their results in order.
func runGroup(ctx context.Context, g group, run func(testCase) Result) []Result {
	results := make([]Result, len(g.cases))
	next := make(chan int)
	var workers sync.WaitGroup
	for range max(g.parallel, 1) {
		workers.Go(func() {
			for i := range next {
				results[i] = run(g.cases[i])
			}
		})
	}
	for i := range g.cases {
		results[i] = Result{Name: g.cases[i].name, Verdict: Failed, Reason: "not run"}
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	return results
}

func dialAndRun(ctx context.Context, target *url.URL, o *Options, c testCase) Result {
	dialer := net.Dialer{Timeout: o.timeout()}
	conn, err := dialer.DialContext(ctx, "tcp", target.Host)
	if err != nil {
		return Result{Name: c.name, Verdict: Failed, Reason: err.Error()}
	}
	return judge(ctx, conn, c, &peer{opts: o, isClient: true, host: target.Host, path: target.RequestURI()})
}

// judge runs a case on a connection, and closes it.
func judge(ctx context.Context, conn net.Conn, c testCase, p *peer) Result {
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	p.conn, p.r = conn, bufio.NewReaderSize(conn, 64<<10)
	err := c.run(p)
	switch {
	case errors.Is(err, errDeclined):
		return Result{Name: c.name, Verdict: Declined}
	case err != nil:
		return Result{Name: c.name, Verdict: Failed, Reason: err.Error()}
	case len(p.loose) > 0:
		return Result{Name: c.name, Verdict: NonStrict, Reason: strings.Join(p.loose, "; ")}
	}
	return Result{Name: c.name, Verdict: Passed}
}

// Serve waits for a client that echoes, and connects again and again: each connection gets the next
// case. It returns when all cases are done, and closes the listener. The error says that the suite
// could not run to its end.
func Serve(ctx context.Context, l net.Listener, o Options) (Report, error) {
	defer func() { _ = l.Close() }()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	groups, err := chosen(&o, client)
	if err != nil {
		return Report{}, err
	}
	var report Report
	for _, g := range groups {
		results := runGroup(ctx, g, func(c testCase) Result { return acceptAndRun(ctx, l, &o, c) })
		report.Groups = append(report.Groups, GroupReport{ID: g.id, Title: g.title, Results: results})
	}
	if ctx.Err() != nil {
		return report, fmt.Errorf("wsconformance: stopped: %w", context.Cause(ctx))
	}
	return report, nil
}

func acceptAndRun(ctx context.Context, l net.Listener, o *Options, c testCase) Result {
	conn, err := l.Accept()
	if err != nil {
		return Result{Name: c.name, Verdict: Failed, Reason: err.Error()}
	}
	return judge(ctx, conn, c, &peer{opts: o})
}
