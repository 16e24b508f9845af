//go:build linux

package main

import (
	"math"
	"strconv"
	"strings"
)

// column is one column of the table; a blank cell stands for no figure.
type column struct {
	head string
	cell func(r *results, at row) string
}

var columns = []column{
	{"Connections: case", func(_ *results, at row) string { return at.title }},
	{"Server", func(_ *results, at row) string { return at.server }},
	{"Deliveries/s", func(r *results, at row) string { return whole(r.median(at, rate)) }},
	{"CPU s per million", func(r *results, at row) string { return short(r.median(at, cpu)) }},
	{"× write floor", func(r *results, at row) string { return short(r.ratio(at, floorWrite, cpu)) }},
	{"× joined floor", func(r *results, at row) string { return short(r.ratio(at, floorJoined, cpu)) }},
	{"p50 ms", func(r *results, at row) string { return short(r.median(at, p50)) }},
	{"p99 ms", func(r *results, at row) string { return short(r.median(at, p99)) }},
	{"p99 × joined floor", func(r *results, at row) string { return short(r.ratio(at, floorJoined, p99)) }},
	{"Client busy %", func(r *results, at row) string { return whole(r.median(at, busy)) }},
	{"Others busy %", func(r *results, at row) string { return whole(r.median(at, others)) }},
	{"RSS KiB per connection, settled", func(r *results, at row) string { return short(r.median(at, settled)) }},
	{"RSS KiB per connection, collected", func(r *results, at row) string { return short(r.median(at, memory)) }},
	{"Goroutines", func(r *results, at row) string { return whole(r.median(at, goroutines)) }},
	{"CPU µs per connect", func(r *results, at row) string { return short(r.median(at, connectCPU)) }},
	{"Notes", func(r *results, at row) string { return r.notes[at] }},
}

// markdown renders all rows, those of one case together.
func (r *results) markdown() string {
	var b strings.Builder
	line := func(cell func(column) string) {
		for _, c := range columns {
			b.WriteString("| " + cell(c) + " ")
		}
		b.WriteString("|\n")
	}
	line(func(c column) string { return c.head })
	line(func(column) string { return "---" })
	for _, at := range r.grouped() {
		line(func(c column) string { return c.cell(r, at) })
	}
	return b.String()
}

// grouped orders the rows by their case, cases and servers as they came.
func (r *results) grouped() []row {
	var sorted []row
	done := map[string]bool{}
	for _, first := range r.order {
		if done[first.title] {
			continue
		}
		done[first.title] = true
		for _, at := range r.order {
			if at.title == first.title {
				sorted = append(sorted, at)
			}
		}
	}
	return sorted
}

func whole(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return thousands(int(math.Round(v)))
}

// short shows three significant digits, and no fewer than the whole part has.
func short(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return ""
	case math.Abs(v) >= 100:
		return whole(v)
	case math.Abs(v) >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case math.Abs(v) >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}
