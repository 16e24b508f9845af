// Command run holds a WebSocket endpoint to RFC 6455 and RFC 7692: a server that echoes (-url), or a
// client that echoes and connects again until all cases are done (-serve). It prints a table, and
// exits with 1 if a case failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"

	"boundary-app.org/realtime/internal/wsconformance"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	passed, err := run(ctx, os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
	}
	if err != nil || !passed {
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (passed bool, err error) {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	var o wsconformance.Options
	url := flags.String("url", "", "the server to test, such as ws://127.0.0.1:9001/")
	serve := flags.String("serve", "", "the address on which to wait for the client to test, such as 127.0.0.1:9002")
	groups := flags.String("groups", "", "the groups to run, separated by commas (default all)")
	strict := flags.Bool("strict", false, "exit with 1 also if a case is not strict")
	flags.BoolVar(&o.Compression, "compression", false, "the endpoint must accept permessage-deflate")
	flags.BoolVar(&o.Full, "full", false, "1,000 messages in each compression case, and the largest floods")
	flags.IntVar(&o.Limit, "limit", 0, "the endpoint's limit of a message in octets: also test that it is kept")
	flags.DurationVar(&o.Timeout, "timeout", 0, "the wait for anything (default 10s)")
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	if *groups != "" {
		o.Groups = strings.Split(*groups, ",")
	}
	report, err := test(ctx, *url, *serve, o, out)
	if err != nil {
		return false, err
	}
	if err := report.Print(out); err != nil {
		return false, err
	}
	return report.Count(wsconformance.Failed) == 0 && (!*strict || report.Count(wsconformance.NonStrict) == 0), nil
}

func test(ctx context.Context, url, serve string, o wsconformance.Options, out io.Writer) (wsconformance.Report, error) {
	switch {
	case (url == "") == (serve == ""):
		return wsconformance.Report{}, errors.New("say what to test: either -url or -serve")
	case url != "":
		return wsconformance.Run(ctx, url, o)
	}
	l, err := net.Listen("tcp", serve)
	if err != nil {
		return wsconformance.Report{}, err
	}
	if _, err := fmt.Fprintf(out, "waiting for a client on ws://%s/\n", l.Addr()); err != nil {
		return wsconformance.Report{}, errors.Join(err, l.Close())
	}
	return wsconformance.Serve(ctx, l, o)
}
