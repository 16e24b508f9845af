package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// mute connects a client that never answers, so that a drain has to wait.
func mute(t *testing.T, public, token string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(public, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "GET /ws?token="+token+" HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	if n, err := conn.Read(buffer); err != nil || !bytes.HasPrefix(buffer[:n], []byte("HTTP/1.1 101")) {
		t.Fatalf("upgrade: %q %v", buffer[:n], err)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	p, public, _ := serve(t, append(production(), "REALTIME_DRAIN=3s")...)
	token := mint(t, "u1", nil)
	mute(t, public, token)
	plain, typed := dial(t, public, token), dial(t, public, token, "boundary.realtime.v1")
	if status, _ := call(t, "GET", public+"/ready", ""); status != 200 {
		t.Errorf("/ready before: %d", status)
	}

	p.signal(syscall.SIGTERM)
	p.stderr.wait(t, regexp.MustCompile(`"draining"`))
	if text := p.stderr.String(); strings.Contains(text, "served for the delay") {
		t.Errorf("without a delay the log says %s", text)
	}
	waitFor(t, func() bool { status, _ := call(t, "GET", public+"/ready", ""); return status == 503 })
	if status, _ := call(t, "GET", public+"/health", ""); status != 200 {
		t.Errorf("/health while draining: %d", status)
	}
	if status, body := call(t, "POST", public+"/v1/broadcast", `{"type":"x"}`, "Authorization", "Bearer "+testKey); status != 200 {
		t.Errorf("the API while draining: %d %s", status, body)
	}
	expectGoodbye(t, plain, websocket.StatusServiceRestart)
	expectGoodbye(t, typed, 4001)
	if status, _ := call(t, "GET", public+"/ws?token="+token, "", "Connection", "Upgrade", "Upgrade", "websocket",
		"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="); status != 503 {
		t.Errorf("a new connection while draining: %d, want 503", status)
	}
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d after a drain:\n%s", code, p.stderr.String())
	}
}

// expectGoodbye reads the end of a connection that is drained.
func expectGoodbye(t *testing.T, conn *websocket.Conn, code websocket.StatusCode) {
	t.Helper()
	closing := read(t, conn)
	for closing["type"] == "x" {
		closing = read(t, conn)
	}
	if _, isNumber := closing["reconnectAfter"].(float64); closing["type"] != "$closing" || closing["reason"] != "drain" || !isNumber {
		t.Errorf("before the end: %v, want $closing", closing)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, _, err := conn.Read(ctx); websocket.CloseStatus(err) != code {
		t.Errorf("closed with %v, want %d", err, code)
	}
}

// waitFor polls for what nothing tells of.
func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	timeout, ticker := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-timeout:
			t.Fatal("it does not come true")
		}
	}
}

// With a drain delay probes see the server red while it serves everything, and
// then it closes its connections.
func TestDrainDelay(t *testing.T) {
	t.Parallel()
	const delay = time.Second
	p, public, _ := serve(t, append(production(), "REALTIME_DRAIN=3s", "REALTIME_DRAIN_DELAY="+delay.String())...)
	conn := dial(t, public, mint(t, "u1", nil))
	start := time.Now()
	p.signal(syscall.SIGTERM)
	p.stderr.wait(t, regexp.MustCompile(`"draining","connections":1,"delay":"1s","window":"3s"`))
	waitFor(t, func() bool { status, _ := call(t, "GET", public+"/ready", ""); return status == 503 })
	expectGoodbye(t, conn, websocket.StatusServiceRestart)
	if code, after := p.exit(), time.Since(start); code != 0 || after < delay {
		t.Errorf("exit code %d after %v, want 0 after %v", code, after, delay)
	}
	p.stderr.wait(t, regexp.MustCompile(`the drain delay is over[^\n]*"connections":1,"window":"3s"[^\n]*\n.*"drained"`))
}

// The second signal ends the process at once, in the drain and in the delay
// before it, during which it takes connections.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"REALTIME_DRAIN=1h", "REALTIME_DRAIN_DELAY=1h"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			p, public, _ := serve(t, append(production(), setting)...)
			token := mint(t, "u1", nil)
			mute(t, public, token)
			p.signal(syscall.SIGTERM)
			p.stderr.wait(t, regexp.MustCompile(`"draining"`))
			waitFor(t, func() bool { status, _ := call(t, "GET", public+"/ready", ""); return status == 503 })
			if setting == "REALTIME_DRAIN_DELAY=1h" {
				dial(t, public, token)
			}
			p.signal(syscall.SIGTERM)
			if code := p.exit(); code != 130 {
				t.Errorf("exit code %d after the second signal, want 130", code)
			}
		})
	}
}

// SIGHUP reloads the file of the settings, and ends nothing. The environment stays
// stronger.
func TestHangupReloads(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "realtime.yaml")
	write := func(settings string) {
		t.Helper()
		if err := os.WriteFile(file, []byte("reload_interval: 0s\n"+settings), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	p, public, _ := serve(t, append(production(), "REALTIME_CONFIG="+file, "REALTIME_MESSAGE_BURST=9")...)
	conn := dial(t, public, mint(t, "u1", nil))

	write("message_burst: 1\ntopics_per_connection: 3\nlog_level: debug\n")
	p.signal(syscall.SIGHUP)
	p.stderr.wait(t, regexp.MustCompile(`"the configuration was reloaded","cause":"a signal","changes":\["topics_per_connection: 128 -> 3","log_level: info -> debug"\]`))
	write("message_burst: 1\ntopics_per_connection: none\n")
	p.signal(syscall.SIGHUP)
	p.stderr.wait(t, regexp.MustCompile(`"level":"ERROR","msg":"the new configuration is refused as a whole[^\n]*topics_per_connection`))

	if err := conn.Write(t.Context(), websocket.MessageText, []byte(`{"action":"ping","ref":1}`)); err != nil {
		t.Fatal(err)
	}
	if reply := read(t, conn); reply["ok"] != true {
		t.Errorf("a connection of before gets %v", reply)
	}
	p.signal(syscall.SIGTERM)
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
