package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"boundary-app.org/realtime/internal/wsconformance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunServesUntilItIsStopped(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"loop", "portable"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			out, in := io.Pipe()
			ended := make(chan error, 1)
			go func() { ended <- run(ctx, []string{"--listen", "127.0.0.1:0", "--path", path, "--compression"}, in) }()
			line, err := bufio.NewReader(out).ReadString('\n')
			address, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
			if err != nil || !ok {
				t.Fatalf("it prints %q, %v", line, err)
			}
			report, err := wsconformance.Run(t.Context(), address, wsconformance.Options{Groups: []string{"1", "2"}, Compression: true})
			if err != nil || report.Count(wsconformance.Passed) != 27 {
				t.Errorf("%d cases pass, want 27; %v", report.Count(wsconformance.Passed), err)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"loop or portable": {"--path", "scenic"},
		"listen":           {"--listen", "nowhere:at:all"},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", args, err, want)
		}
	}
}
