package control

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// MaxInFlight is the most messages that a plan may have in flight.
const MaxInFlight = 4096

// Mode says when the next message may be published.
type Mode string

// The modes of a plan.
const (
	// Window keeps InFlight messages in flight: the next one goes out when the
	// oldest has arrived everywhere.
	Window Mode = "window"
	// Burst publishes InFlight messages back to back, then waits until all of
	// them have arrived everywhere.
	Burst Mode = "burst"
	// Paced publishes at a fixed rate, whatever has arrived.
	Paced Mode = "paced"
)

// Plan is a publishing scenario. It ends after Messages or after For,
// whichever comes first, so that fast and slow servers run equally long.
type Plan struct {
	Mode     Mode
	Messages int
	For      time.Duration
	InFlight int
	Rate     float64 // messages per second, for Paced
	Size     int     // octets of a payload
	Targets  int     // send to this many users in turn; 0 broadcasts
	Among    int     // connections that Targets are spread over
	Topics   bool    // publish to the users' topics instead
}

// TargetOf returns the connection whose user message seq is for, when the plan
// has targets.
func (p Plan) TargetOf(seq uint64) int {
	return int(seq%uint64(p.Targets)) * (p.Among / p.Targets)
}

// Query is the inverse of ParsePlan.
func (p Plan) Query() url.Values {
	return url.Values{
		"mode":     {string(p.Mode)},
		"n":        {strconv.Itoa(p.Messages)},
		"for":      {p.For.String()},
		"inflight": {strconv.Itoa(p.InFlight)},
		"rate":     {strconv.FormatFloat(p.Rate, 'g', -1, 64)},
		"size":     {strconv.Itoa(p.Size)},
		"targets":  {strconv.Itoa(p.Targets)},
		"among":    {strconv.Itoa(p.Among)},
		"topics":   {strconv.FormatBool(p.Topics)},
	}
}

// ParsePlan reads a plan from query parameters. Absent ones take the defaults
// of mode=window, n=1000000, for=2s, inflight=1, size=128.
func ParsePlan(q url.Values) (Plan, error) {
	v := values{q: q}
	p := Plan{
		Mode:     Mode(v.text("mode", string(Window))),
		Messages: v.integer("n", 1_000_000),
		For:      v.duration("for", 2*time.Second),
		InFlight: v.integer("inflight", 1),
		Rate:     v.float("rate", 0),
		Size:     v.integer("size", 128),
		Targets:  v.integer("targets", 0),
		Among:    v.integer("among", 0),
		Topics:   v.boolean("topics", false),
	}
	if err := errors.Join(v.err, p.check()); err != nil {
		return Plan{}, fmt.Errorf("control: plan: %w", err)
	}
	return p, nil
}

func (p Plan) check() error {
	switch {
	case p.Mode != Window && p.Mode != Burst && p.Mode != Paced:
		return fmt.Errorf("mode %q is not one of window, burst, paced", p.Mode)
	case p.Mode == Paced && p.Rate <= 0:
		return errors.New("mode paced needs a rate above 0")
	case p.InFlight < 1 || p.InFlight > MaxInFlight:
		return fmt.Errorf("inflight %d is not within 1 and %d", p.InFlight, MaxInFlight)
	case p.Messages < 1 || p.Messages > 1<<30 || p.For <= 0 || p.For > 10*time.Minute:
		return errors.New("n must be within 1 and 2^30, for within 0 and 10m")
	case p.Size < 1 || p.Size > 1<<20:
		return fmt.Errorf("size %d is not within 1 and 1 MiB", p.Size)
	case p.Targets < 0 || p.Among < p.Targets:
		return fmt.Errorf("targets %d cannot be spread over %d connections", p.Targets, p.Among)
	case p.Topics && p.Targets == 0:
		return errors.New("topics needs targets above 0")
	}
	return nil
}

// values parses query parameters and keeps the first error.
type values struct {
	q   url.Values
	err error
}

func (v *values) text(name, absent string) string {
	if !v.q.Has(name) {
		return absent
	}
	return v.q.Get(name)
}

func (v *values) integer(name string, absent int) int {
	return parse(v, name, absent, strconv.Atoi)
}

func (v *values) boolean(name string, absent bool) bool {
	return parse(v, name, absent, strconv.ParseBool)
}

func (v *values) duration(name string, absent time.Duration) time.Duration {
	return parse(v, name, absent, time.ParseDuration)
}

func (v *values) float(name string, absent float64) float64 {
	return parse(v, name, absent, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
}

func parse[T any](v *values, name string, absent T, convert func(string) (T, error)) T {
	if !v.q.Has(name) {
		return absent
	}
	got, err := convert(v.q.Get(name))
	if err != nil && v.err == nil {
		v.err = fmt.Errorf("%s: %w", name, err)
	}
	return got
}
