package control

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestPlanRoundTrip(t *testing.T) {
	t.Parallel()
	for _, want := range []Plan{
		{Mode: Window, Messages: 1_000_000, For: 2 * time.Second, InFlight: 1, Size: 128},
		{Mode: Burst, Messages: 7, For: time.Minute, InFlight: 64, Size: 4096, Targets: 10, Among: 99},
		{Mode: Paced, Messages: 1 << 30, For: time.Millisecond, InFlight: 1, Size: 1, Rate: 33.25},
	} {
		got, err := ParsePlan(want.Query())
		if err != nil || got != want {
			t.Errorf("got %+v, error %v; want %+v", got, err, want)
		}
	}
	got, err := ParsePlan(nil)
	if want := (Plan{Mode: Window, Messages: 1_000_000, For: 2 * time.Second, InFlight: 1, Size: 128}); err != nil || got != want {
		t.Errorf("defaults: got %+v, error %v", got, err)
	}
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"mode=fast":          `mode "fast" is not one of`,
		"mode=paced":         "needs a rate",
		"inflight=0":         "inflight 0 is not within",
		"inflight=4097":      "inflight 4097 is not within",
		"inflight=many":      "inflight: strconv",
		"n=0":                "n must be within",
		"for=-1s":            "n must be within",
		"for=1":              "for: time",
		"size=0":             "size 0 is not within",
		"targets=2&among=1":  "cannot be spread",
		"mode=paced&rate=-1": "needs a rate",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePlan(values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", query, err, want)
		}
	}
}

func TestTargetsAreSpread(t *testing.T) {
	t.Parallel()
	p := Plan{Targets: 3, Among: 10}
	for seq, want := range []int{0, 3, 6, 0, 3, 6} {
		if got := p.TargetOf(uint64(seq)); got != want {
			t.Errorf("message %d: connection %d, want %d", seq, got, want)
		}
	}
}
