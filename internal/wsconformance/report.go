package wsconformance

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Verdict is how a case ended.
type Verdict int

// The verdicts.
const (
	Passed    Verdict = iota
	NonStrict         // allowed by the RFCs, but not the best behaviour; the reason says why
	Declined          // the endpoint properly declined what the case is about
	Failed
)

// String returns the verdict in words.
func (v Verdict) String() string {
	return [...]string{"passed", "non-strict", "declined", "failed"}[v]
}

// Result is the outcome of one case.
type Result struct {
	Name    string
	Verdict Verdict
	Reason  string
}

// GroupReport is the outcome of one group.
type GroupReport struct {
	ID, Title string
	Results   []Result
}

// Count returns the number of cases that ended so.
func (g GroupReport) Count(v Verdict) (n int) {
	for _, r := range g.Results {
		if r.Verdict == v {
			n++
		}
	}
	return n
}

// Report is the outcome of a run.
type Report struct{ Groups []GroupReport }

// Count returns the number of cases that ended so.
func (r Report) Count(v Verdict) (n int) {
	for _, g := range r.Groups {
		n += g.Count(v)
	}
	return n
}

// Each calls yield with every case that ended so, and the id of its group.
func (r Report) Each(v Verdict, yield func(group string, result Result)) {
	for _, g := range r.Groups {
		for _, result := range g.Results {
			if result.Verdict == v {
				yield(g.ID, result)
			}
		}
	}
}

// Print writes a table of the groups, and a line for each case that failed or is not strict.
func (r Report) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "group\t\tcases\tpassed\tnon-strict\tdeclined\tfailed")
	for _, g := range r.Groups {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%d\n", g.ID, g.Title, len(g.Results),
			g.Count(Passed), g.Count(NonStrict), g.Count(Declined), g.Count(Failed))
	}
	for _, verdict := range []Verdict{NonStrict, Failed} {
		r.Each(verdict, func(group string, result Result) {
			fmt.Fprintf(table, "%v: %s: %s: %s\n", verdict, group, result.Name, result.Reason)
		})
	}
	return table.Flush()
}
