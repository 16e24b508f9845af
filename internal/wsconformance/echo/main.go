// Command echo serves a plain WebSocket echo over this module's socket layer, so that conformance
// suites can be pointed at it. It prints its address when it listens.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"boundary-app.org/realtime/internal/wsconformance/subject"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "echo:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("echo", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:9001", "the address to listen on")
	path := flags.String("path", string(subject.Loop), "how sockets are read and written: loop or portable")
	var cfg subject.Config
	flags.BoolVar(&cfg.Compression, "compression", false, "accept permessage-deflate")
	flags.IntVar(&cfg.MaxMessage, "max-message", 64<<20, "the limit of a message in octets")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if cfg.Path = subject.Path(*path); cfg.Path != subject.Loop && cfg.Path != subject.Portable {
		return fmt.Errorf("there is no path %q: write loop or portable", *path)
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "listening on ws://%s/\n", l.Addr()); err != nil {
		return errors.Join(err, l.Close())
	}
	return serve(ctx, l, cfg)
}

func serve(ctx context.Context, l net.Listener, cfg subject.Config) error {
	s := subject.NewServer(cfg, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	web := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	defer s.Stop()
	defer context.AfterFunc(ctx, func() { _ = web.Close() })()
	if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
