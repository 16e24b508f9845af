// Command boundary-realtime is the realtime service as a server, with tools to make and
// read tokens, to send and receive messages, and to list and change connections.
//
// It owns the command line: the commands, their output and their exit codes (0 success,
// 1 failure, 2 wrong usage or configuration, 130 second interrupt). The packages
// realtime and api handle messages and connections. Each command runs in one goroutine.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/config"
)

// The exit codes.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130 // the status that shells give to SIGINT
)

func main() {
	p := program{environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(p.run(p.untilSignal(), os.Args[1:]))
}

// untilSignal returns a context that ends at the first SIGINT or SIGTERM. A second signal
// ends the process at once.
func (p *program) untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		_, _ = fmt.Fprintln(p.stderr, "boundary-realtime: a second signal: the process ends at once")
		os.Exit(exitInterrupted)
	}()
	return ctx
}

// program is the environment of a command: variables, input and output.
type program struct {
	environ []string
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
}

type commands struct {
	ShowVersion versionFlag `name:"version" help:"Print the version."`

	Serve       serveCommand       `cmd:"" help:"Run the server."`
	Token       tokenCommand       `cmd:"" help:"Make a token for development, or read one."`
	Tail        tailCommand        `cmd:"" help:"Connect, and print the messages that arrive."`
	Send        sendCommand        `cmd:"" help:"Send a message through the HTTP API."`
	Connections connectionsCommand `cmd:"" help:"List connections."`
	Topics      topicsCommand      `cmd:"" help:"List topics with the number of their subscribers."`
	Subscribe   subscribeCommand   `cmd:"" help:"Subscribe connections to topics."`
	Unsubscribe unsubscribeCommand `cmd:"" help:"Unsubscribe connections from topics."`
	Disconnect  disconnectCommand  `cmd:"" help:"Disconnect connections."`
	Revoke      revokeCommand      `cmd:"" help:"Refuse tokens before they expire."`
	CheckConfig checkConfigCommand `cmd:"" help:"Print the effective configuration, or all mistakes in it."`
	Version     versionCommand     `cmd:"" help:"Print the version."`
}

// run runs a command line and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	cli := commands{Serve: newServeCommand(), CheckConfig: newCheckConfigCommand()}
	parser, err := kong.New(&cli,
		kong.Name("boundary-realtime"),
		kong.Description("Push messages to browsers and devices. Try it: boundary-realtime serve --dev"),
		kong.Writers(p.stdout, p.stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(p),
	)
	if err != nil {
		return p.fail(err)
	}
	if len(args) > 0 && args[0] == "help" { // "help send" is "send --help"
		args = append(args[1:len(args):len(args)], "--help")
	}
	command, err := parser.Parse(args)
	if err != nil {
		return p.fail(&usageError{err})
	}
	if err := command.Run(); err != nil {
		return p.fail(err)
	}
	return 0
}

func (p *program) fail(err error) int {
	_, _ = fmt.Fprintf(p.stderr, "boundary-realtime: %v\n", err) // there is no other place for the error
	var usage *usageError
	var problems config.Problems
	if errors.As(err, &usage) || errors.As(err, &problems) {
		return exitUsage
	}
	return exitFailure
}

// load reads the settings for a command that needs only some of them.
func (p *program) load(file string) (*config.Config, error) {
	return config.Load(config.Sources{Environ: p.environ, File: file})
}

// lookup returns an environment variable that is not a setting of the server.
func (p *program) lookup(name string) string {
	for _, variable := range p.environ {
		if len(variable) > len(name) && variable[len(name)] == '=' && variable[:len(name)] == name {
			return variable[len(name)+1:]
		}
	}
	return ""
}

// maxInput is the largest size of standard input in bytes.
const maxInput = 64 << 20

func (p *program) readInput() ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(p.stdin, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("read standard input: %w", err)
	}
	if len(data) > maxInput {
		return nil, fmt.Errorf("read standard input: longer than %d bytes", maxInput)
	}
	return data, nil
}
