//go:build linux

package main

import (
	"fmt"
	"math"
	"slices"
	"time"

	"boundary-app.org/realtime/bench/internal/report"
)

// Names of the servers that ratios refer to.
const (
	floorWrite  = "floor-write"
	floorJoined = "floor-joined"
)

// metric is one figure of the table.
type metric int

const (
	rate        metric = iota // deliveries/s
	cpu                       // server CPU seconds per million deliveries
	p50                       // ms
	p99                       // ms
	busy                      // load client's CPU time, % of wall time
	others                    // other processes on the two CPUs, % of their time
	settled                   // KiB per connection, as it is
	memory                    // KiB per connection, after a forced collection
	goroutines                // in the server process
	connectCPU                // server CPU µs per connect
	metricCount               // of metrics
)

// figures are those of one row in one round. NaN stands for none.
type figures [metricCount]float64

// row is one case with one server.
type row struct {
	title  string
	server string
}

// results collects rows in the order in which they come first.
type results struct {
	order  []row
	rounds map[row]map[int]figures
	notes  map[row]string
}

func newResults() *results {
	return &results{rounds: map[row]map[int]figures{}, notes: map[row]string{}}
}

// add takes the figures that one run has reported.
func (r *results) add(s scenario, server string, round int, got report.Report) {
	for _, p := range got.Phases {
		if p.Name == "" {
			continue
		}
		at := row{s.title(p.Name), server}
		r.put(at, round, ofPhase(p))
		if s.stalled > 0 {
			r.notes[at] = fmt.Sprintf("%d of %d cut off; RSS grew by %.1f MiB", p.StalledCut, s.stalled, float64(p.RSSGrowth)/(1<<20))
		}
	}
	if got.Idle != nil {
		r.put(row{s.title(""), server}, round, ofIdle(got))
	}
}

func (r *results) put(at row, round int, f figures) {
	if r.rounds[at] == nil {
		r.rounds[at] = map[int]figures{}
		r.order = append(r.order, at)
	}
	r.rounds[at][round] = f
}

func noFigures() (f figures) {
	for m := range f {
		f[m] = math.NaN()
	}
	return f
}

func ofPhase(p report.Phase) figures {
	f := noFigures()
	n := float64(p.Deliveries)
	f[rate] = n / p.Wall.Seconds()
	f[cpu] = p.ServerCPU.Seconds() / n * 1e6
	f[p50] = milliseconds(p.P50)
	f[p99] = milliseconds(p.P99)
	f[busy] = p.ClientCPU.Seconds() / p.Wall.Seconds() * 100
	f[others] = p.Others.Seconds() / (2 * p.Wall.Seconds()) * 100
	return f
}

func ofIdle(r report.Report) figures {
	f := noFigures()
	n := float64(r.Connections)
	f[settled] = float64(r.Idle.SettledRSS-r.Idle.EmptyRSS) / 1024 / n
	f[memory] = float64(r.Idle.RSS-r.Idle.EmptyRSS) / 1024 / n
	f[goroutines] = float64(r.Idle.Goroutines)
	f[connectCPU] = r.Connect.ServerCPU.Seconds() * 1e6 / n
	return f
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1e3 }

// median is that of one metric over the rounds.
func (r *results) median(at row, m metric) float64 {
	var values []float64
	for _, f := range r.rounds[at] {
		values = append(values, f[m])
	}
	return median(values)
}

// ratio is the median of the ratios to another server within each round.
func (r *results) ratio(at row, to string, m metric) float64 {
	base := r.rounds[row{at.title, to}]
	var values []float64
	for round, f := range r.rounds[at] {
		if b, ok := base[round]; ok {
			values = append(values, f[m]/b[m])
		}
	}
	return median(values)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}
