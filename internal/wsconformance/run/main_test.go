package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"boundary-app.org/realtime/internal/wsconformance/subject"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func wsURL(s *httptest.Server) string { return "ws" + strings.TrimPrefix(s.URL, "http") + "/" }

func TestRunAgainstAServer(t *testing.T) {
	t.Parallel()
	echo := subject.NewServer(subject.Config{}, slog.New(slog.DiscardHandler))
	good := httptest.NewServer(echo)
	t.Cleanup(func() {
		good.Close()
		echo.Stop()
	})
	bad := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(bad.Close)
	for _, c := range []struct {
		name   string
		args   []string
		passed bool
		want   string
	}{
		{"good", []string{"--url", wsURL(good), "--groups", "2,10", "--strict"}, true, "pings and pongs      11     11"},
		{"bad", []string{"--url", wsURL(bad), "--groups", "2"}, false, "failed: 2: 2.1 an empty ping: opening handshake: status 404 instead of 101"},
		{"it declines", []string{"--url", wsURL(good), "--groups", "12", "--compression"}, false, "it declined permessage-deflate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			passed, err := run(t.Context(), c.args, &out)
			if err != nil || passed != c.passed || !strings.Contains(out.String(), c.want) {
				t.Errorf("passed %v, %v, printed\n%s", passed, err, out.String())
			}
		})
	}
}

func TestRunAgainstAClient(t *testing.T) {
	t.Parallel()
	out, in := io.Pipe()
	printed := bufio.NewReader(out)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	passed := make(chan bool, 1)
	go func() {
		ok, err := run(ctx, []string{"--serve", "127.0.0.1:0", "--groups", "2"}, in)
		_ = in.CloseWithError(err)
		passed <- ok
	}()
	line, err := printed.ReadString('\n')
	address, found := strings.CutPrefix(strings.TrimSpace(line), "waiting for a client on ws://")
	if err != nil || !found {
		t.Fatalf("it prints %q, %v", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, printed) }()
	for range 11 {
		if err := subject.Echo(ctx, strings.TrimSuffix(address, "/"), false); err != nil {
			t.Error(err)
		}
	}
	if !<-passed {
		t.Error("a good client does not pass")
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{},
		{"--url", "ws://127.0.0.1:1/", "--serve", "127.0.0.1:0"},
		{"--url", "http://127.0.0.1:1/"},
		{"--serve", "nowhere:at:all"},
		{"--url", "ws://127.0.0.1:1/", "--groups", "8"},
	} {
		if passed, err := run(t.Context(), args, io.Discard); passed || err == nil {
			t.Errorf("%q: passed %v, %v", args, passed, err)
		}
	}
}
