package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

const controllingTerminal = "/dev/tty"

// untilHangup returns a channel that has a value after each SIGHUP, by which
// operators ask for a new configuration. Until stop is called, the signal does
// not end the process.
//
// With the same signal a terminal that closes ends the programs in it. The context
// that is returned ends then, so that the server drains: one that lived on would
// keep its port, and nothing would show it. After nohup it does live on. There is
// no such signal on Windows.
func untilHangup(ctx context.Context) (_ context.Context, reloads <-chan os.Signal, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	inTerminal := !signal.Ignored(syscall.SIGHUP) && hasTerminal()
	hangups, asked := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for hangup := range hangups {
			if inTerminal && !hasTerminal() {
				cancel()
				continue
			}
			select {
			case asked <- hangup:
			default: // one waits already
			}
		}
	}()
	return ctx, asked, func() {
		signal.Stop(hangups)
		close(hangups)
		<-ended
		cancel()
	}
}

// hasTerminal reports whether the process belongs to a terminal that is open.
func hasTerminal() bool {
	file, err := os.OpenFile(controllingTerminal, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	_ = file.Close() // it was opened to see whether it can be
	return true
}
