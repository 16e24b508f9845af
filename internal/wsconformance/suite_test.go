package wsconformance

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/wsconformance/subject"
)

// full reports whether the environment asks for the full counts (CONFORMANCE=full).
func full() bool { return os.Getenv("CONFORMANCE") == "full" }

// chosenIDs are the groups to run. Without the full counts, large messages go to the server only, and
// uncompressed: the race detector makes them slow.
func chosenIDs(o Options, under role) (ids []string) {
	for _, g := range groups(&o, under) {
		if g.id != "9" || o.Full || under == server && !o.Compression {
			ids = append(ids, g.id)
		}
	}
	return ids
}

// serve starts an echo server over our socket layer and returns its address.
func serve(t *testing.T, cfg subject.Config) string {
	t.Helper()
	s := subject.NewServer(cfg, slog.New(slog.DiscardHandler))
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		web.Close()
		s.Stop()
	})
	return "ws" + strings.TrimPrefix(web.URL, "http") + "/any/path?and=query"
}

// check fails for each case that failed or was declined where it must not be.
func check(t *testing.T, report Report, declines bool) {
	t.Helper()
	var table strings.Builder
	if err := report.Print(&table); err != nil {
		t.Error(err)
	}
	t.Log("\n" + table.String())
	report.Each(Failed, func(group string, r Result) { t.Errorf("%s: %s: %s", group, r.Name, r.Reason) })
	report.Each(NonStrict, func(group string, r Result) {
		t.Errorf("%s: %s is not strict: %s", group, r.Name, r.Reason)
	})
	report.Each(Declined, func(group string, r Result) {
		if !declines && !strings.Contains(r.Name, "server_max_window_bits=9") && !strings.Contains(r.Name, "windows of") {
			t.Errorf("%s: %s was declined", group, r.Name)
		}
	})
}

func run(t *testing.T, address string, o Options) Report {
	t.Helper()
	report, err := Run(t.Context(), address, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// Our server passes every case, whichever way it reads and writes.
func TestServer(t *testing.T) {
	t.Parallel()
	for _, path := range []subject.Path{subject.Loop, subject.Portable} {
		for _, compression := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, compression %v", path, compression), func(t *testing.T) {
				t.Parallel()
				address := serve(t, subject.Config{Path: path, Compression: compression, MaxMessage: 16 << 20})
				o := Options{Compression: compression, Full: full(), Timeout: time.Minute, Patience: time.Minute}
				o.Groups = chosenIDs(o, server)
				check(t, run(t, address, o), !compression)
			})
		}
	}
}

func TestServerLimits(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{100, 65535, 1 << 20} {
		for _, path := range []subject.Path{subject.Loop, subject.Portable} {
			t.Run(fmt.Sprintf("%s, %d octets", path, limit), func(t *testing.T) {
				t.Parallel()
				address := serve(t, subject.Config{Path: path, Compression: true, MaxMessage: limit})
				check(t, run(t, address, Options{Groups: []string{"limits"}, Compression: true, Limit: limit, Timeout: time.Minute, Patience: time.Minute}), false)
			})
		}
	}
}

// Our client's half passes every case.
func TestClient(t *testing.T) {
	t.Parallel()
	for _, compression := range []bool{false, true} {
		t.Run(fmt.Sprintf("compression %v", compression), func(t *testing.T) {
			t.Parallel()
			o := Options{Compression: compression, Full: full(), Timeout: time.Minute, Patience: time.Minute}
			o.Groups = chosenIDs(o, client)
			check(t, runClient(t, o, func(ctx context.Context, address string) {
				_ = subject.Echo(ctx, address, compression) // what it could not agree to is the case's to judge
			}), !compression)
		})
	}
}

// runClient has a client connect until all cases are done.
func runClient(t *testing.T, o Options, echo func(ctx context.Context, address string)) Report {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range defaultParallel {
		clients.Go(func() {
			for ctx.Err() == nil {
				echo(ctx, l.Addr().String())
			}
		})
	}
	report, err := Serve(ctx, l, o)
	cancel()
	clients.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// The groups hold as many cases as the long list, or more.
func TestCounts(t *testing.T) {
	t.Parallel()
	least := map[string]int{
		"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1, "12": 90, "13": 126,
		"beyond": 50, "limits": 8, "handshake": 50,
	}
	for _, g := range groups(&Options{Limit: 1000}, server) {
		if len(g.cases) < least[g.id] || least[g.id] == 0 {
			t.Errorf("group %s has %d cases, want %d", g.id, len(g.cases), least[g.id])
		}
		names := map[string]bool{}
		for _, c := range g.cases {
			if names[c.name] {
				t.Errorf("group %s has two cases %q", g.id, c.name)
			}
			names[c.name] = true
		}
	}
}

func TestReportPrint(t *testing.T) {
	t.Parallel()
	report := Report{[]GroupReport{
		{ID: "1", Title: "first", Results: []Result{{"a", Passed, ""}, {"b", Failed, "wanted x"}}},
		{ID: "second", Title: "other", Results: []Result{{"c", NonStrict, "late"}, {"d", Declined, ""}}},
	}}
	var got strings.Builder
	if err := report.Print(&got); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"group          cases  passed  non-strict  declined  failed\n" +
		"1       first  2      1       0           0         1\n" +
		"second  other  2      0       1           1         0\n" +
		"non-strict: second: c: late\n" +
		"failed: 1: b: wanted x\n"
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	if err := report.Print(broken{}); err == nil {
		t.Error("a broken writer is no error")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestRunCannot(t *testing.T) {
	t.Parallel()
	for address, o := range map[string]Options{
		"wss://127.0.0.1/":    {},
		"127.0.0.1:9001":      {},
		"ws://127.0.0.1:9001": {Groups: []string{"1", "8"}},
	} {
		if _, err := Run(t.Context(), address, o); err == nil || !strings.HasPrefix(err.Error(), "wsconformance: ") {
			t.Errorf("%s: error %v", address, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report, err := Run(ctx, "ws://127.0.0.1:9001", Options{Groups: []string{"1"}})
	if err == nil || report.Count(Failed) != 16 {
		t.Errorf("stopped: %v, %d cases failed", err, report.Count(Failed))
	}
}
