package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

const controllingTerminal = "/dev/tty"

// untilHangup returns a channel that receives a value after each SIGHUP, with which
// operators request a reload of the configuration. Until stop is called, the signal does
// not end the process.
//
// A closing terminal sends the same signal to its programs. Then the returned context
// ends, so that the server drains: otherwise it would keep its port unseen. After nohup
// the server continues. Windows has no such signal.
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
			default: // a reload is pending already
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

// hasTerminal reports whether the process has an open terminal.
func hasTerminal() bool {
	file, err := os.OpenFile(controllingTerminal, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	_ = file.Close() // opening it was the test
	return true
}
