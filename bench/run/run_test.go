//go:build linux

package main

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/report"
)

func TestChoose(t *testing.T) {
	t.Parallel()
	all := []string{"gorilla", "gorilla-chat", "gws", "floor-write", "floor-joined"}
	self := func(s string) string { return s }
	for list, want := range map[string][]string{
		"":                 all,
		"gorilla":          {"gorilla"},
		"floor,gws":        {"gws", "floor-write", "floor-joined"},
		"g":                {"gorilla", "gorilla-chat", "gws"},
		"gorilla-chat,gws": {"gorilla-chat", "gws"},
	} {
		got, err := choose("server", list, all, self)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, error %v; want %q", list, got, err, want)
		}
	}
	for _, list := range []string{"nginx", "gws,", "gws,nginx"} {
		if _, err := choose("server", list, all, self); err == nil {
			t.Errorf("%q was accepted", list)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	r := newResults()
	s := scenario{connections: 1000}
	phase := func(name string, cpu time.Duration, p99 time.Duration) report.Report {
		return report.Report{Connections: 1000, Phases: []report.Phase{
			{Name: "", Deliveries: 1},
			{
				Name: name, Deliveries: 2_000_000, Wall: 2 * time.Second, ServerCPU: cpu,
				ClientCPU: time.Second, P50: time.Millisecond, P99: p99,
			},
		}}
	}
	r.add(s, floorJoined, 0, phase("bursts", 100*time.Millisecond, 2*time.Millisecond))
	r.add(s, floorJoined, 1, phase("bursts", 200*time.Millisecond, 4*time.Millisecond))
	r.add(scenario{connections: 500}, ours, 0, report.Report{
		Connections: 500, Connect: report.Connect{ServerCPU: 25 * time.Millisecond},
		Idle: &report.Idle{EmptyRSS: 1 << 20, SettledRSS: 3 << 20, RSS: 2 << 20, Goroutines: 9},
	})
	r.add(s, ours, 0, phase("bursts", 125*time.Millisecond, 3*time.Millisecond))
	r.add(s, ours, 1, phase("bursts", 250*time.Millisecond, 6*time.Millisecond))
	lines := strings.Split(strings.TrimSuffix(r.markdown(), "\n"), "\n")
	want := []string{
		"| 1,000: bursts | floor-joined | 1,000,000 | 0.075 |  | 1.00 | 1.00 | 3.00 | 1.00 | 50 | 0 |  |  |  |  |  |",
		"| 1,000: bursts | boundary | 1,000,000 | 0.094 |  | 1.25 | 1.00 | 4.50 | 1.50 | 50 | 0 |  |  |  |  |  |",
		"| 500: idle | boundary |  |  |  |  |  |  |  |  |  | 4.10 | 2.05 | 9 | 50.0 |  |",
	}
	if got := lines[2:]; !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, line := range lines {
		if got := strings.Count(line, "|"); got != len(columns)+1 {
			t.Errorf("%d bars in %q", got, line)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0.000", 0.0456: "0.046", 9.876: "9.88", 56.78: "56.8", 1234.5: "1,235", -2: "-2.00"} {
		if got := short(v); got != want {
			t.Errorf("short(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0", 999.4: "999", 1e6: "1,000,000", math.NaN(): "", math.Inf(1): ""} {
		if got := whole(v); got != want {
			t.Errorf("whole(%v) = %q, want %q", v, got, want)
		}
	}
	if got := median([]float64{3, 1, 2, 10}); got != 2.5 {
		t.Errorf("median %v, want 2.5", got)
	}
}

func TestScenariosCanBeParsed(t *testing.T) {
	t.Parallel()
	for _, sc := range []scale{fullScale(2 * time.Second), quickScale} {
		for _, s := range allScenarios(sc) {
			for _, p := range s.phases {
				got, err := control.ParsePlan(p.plan.Query())
				if err != nil || got != p.plan {
					t.Errorf("%s, %s: %+v, error %v", s.name, p.title, got, err)
				}
			}
			if s.connections < 10 || s.connections+s.stalled > 19_800 {
				t.Errorf("%s has %d connections", s.name, s.connections)
			}
		}
	}
}

// TestSmoke builds and runs a server and the load client as a whole.
func TestSmoke(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server := allServers[0]
	dir := t.TempDir()
	if err := build(ctx, dir, []program{server}); err != nil {
		t.Fatal(err)
	}
	p := pair{dir: dir, secret: strings.Repeat("secret", 8), serverCPU: 0, clientCPU: 0}
	s := scenario{name: "smoke", connections: 50, idle: true, phases: []phase{{
		title: "two hundred",
		plan:  control.Plan{Mode: control.Window, InFlight: 16, Messages: 200, For: time.Minute, Size: payloadSize},
	}}}
	r, err := p.measure(ctx, server, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Phases) != 1 || r.Phases[0].Name != "two hundred" || r.Phases[0].Sent != 200 || r.Phases[0].Deliveries != 10_000 {
		t.Errorf("phases %+v", r.Phases)
	}
	if r.Connections != 50 || r.Phases[0].ServerCPU <= 0 || r.Idle.RSS < r.Idle.EmptyRSS {
		t.Errorf("report %+v", r)
	}
}
