package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// chapters returns the parts of docs/cli.md by their headings, and the headings in
// order.
func chapters(t *testing.T) (names []string, texts map[string]string) {
	t.Helper()
	data, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	texts = map[string]string{}
	for _, part := range strings.Split(string(data), "\n## ")[1:] {
		name, text, _ := strings.Cut(part, "\n")
		names = append(names, name)
		texts[name] = text
	}
	return names, texts
}

var (
	flagName    = regexp.MustCompile(`--[a-z-]+`)
	commandName = regexp.MustCompile(`(?m)^  ([a-z][a-z -]*?) {2,}[A-Z]`)
)

// TestTheDocumentNamesEveryCommandAndFlag holds docs/cli.md against --help.
func TestTheDocumentNamesEveryCommandAndFlag(t *testing.T) {
	t.Parallel()
	names, texts := chapters(t)
	if commands := helpCommands(t); !slices.Equal(slices.Sorted(slices.Values(names)), commands) {
		t.Errorf("docs/cli.md has the chapters %q; the commands are %q", names, commands)
	}
	shared := []string{"--help", "--version", "--api", "--config", "--json"} // explained above the chapters
	for _, name := range names {
		if name == "serve" || name == "check-config" {
			continue // their flags are the settings, see docs/configuration.md
		}
		known := flagName.FindAllString(help(t, strings.Fields(name)...), -1)
		for _, flag := range known {
			if !slices.Contains(shared, flag) && !strings.Contains(texts[name], flag) {
				t.Errorf("the chapter %s does not name %s", name, flag)
			}
		}
		for _, flag := range flagName.FindAllString(texts[name], -1) {
			if !slices.Contains(known, flag) {
				t.Errorf("the chapter %s names %s, which there is not", name, flag)
			}
		}
	}
}

// helpCommands returns all commands that --help shows, sorted.
func helpCommands(t *testing.T) (commands []string) {
	t.Helper()
	for _, command := range commandName.FindAllStringSubmatch(help(t), -1) {
		inner := commandName.FindAllStringSubmatch(help(t, command[1]), -1)
		if len(inner) == 0 {
			inner = [][]string{command}
		}
		for _, leaf := range inner {
			commands = append(commands, leaf[1])
		}
	}
	slices.Sort(commands)
	return commands
}

func help(t *testing.T, command ...string) string {
	t.Helper()
	p := start(t, nil, append(command, "--help")...)
	if code := p.exit(); code != 0 {
		t.Fatalf("%q --help: exit code %d: %s", command, code, p.stderr.String())
	}
	return p.stdout.String()
}

// TestTheExamplesOfTheDocument runs all of them, one after the other, with a server
// in dev mode.
func TestTheExamplesOfTheDocument(t *testing.T) {
	t.Parallel()
	_, public, _ := serve(t, "REALTIME_DEV=1")
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(executable, filepath.Join(bin, "boundary-realtime")); err != nil {
		t.Fatal(err)
	}
	names, texts := chapters(t)
	script := "set -e\n"
	for _, name := range names {
		for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(texts[name], -1) {
			script += block[1]
		}
	}
	script += "kill $! || :\n" // tail, unless the revocation has ended it
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	shell := exec.CommandContext(ctx, "sh", "-c", script)
	shell.Env = []string{
		asProgram + "=1", "PATH=" + bin + ":" + os.Getenv("PATH"),
		"REALTIME_API_URL=" + public, "REALTIME_URL=ws" + strings.TrimPrefix(public, "http") + "/ws",
	}
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, want := range []string{`"sub": "alice"`, `{"recipients":`, "ID  ", "subscribed ", "unsubscribed ", "disconnected ", "revoked; disconnected 0 connections", "#ping_interval", "boundary-realtime "} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
}
