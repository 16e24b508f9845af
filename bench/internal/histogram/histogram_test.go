package histogram_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"boundary-app.org/realtime/bench/internal/histogram"
)

func TestEmpty(t *testing.T) {
	t.Parallel()
	var h histogram.Histogram
	if h.Count() != 0 || h.Max() != 0 || h.Quantile(0.99) != 0 {
		t.Errorf("count %d, max %v, p99 %v", h.Count(), h.Max(), h.Quantile(0.99))
	}
}

func TestSmallValuesAreExact(t *testing.T) {
	t.Parallel()
	var h histogram.Histogram
	for v := 1; v <= 100; v++ {
		h.Add(time.Duration(v))
	}
	h.Add(-5)
	for q, want := range map[float64]time.Duration{0: 0, 0.5: 50, 0.99: 99, 1: 100} {
		if got := h.Quantile(q); got != want {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	if h.Count() != 101 {
		t.Errorf("count %d, want 101", h.Count())
	}
}

func TestQuantilesAgainstSortedValues(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var h histogram.Histogram
	values := make([]time.Duration, 10_000)
	for i := range values {
		values[i] = time.Duration(1) << random.IntN(40)
		values[i] += time.Duration(random.Int64N(int64(values[i])))
		h.Add(values[i])
	}
	slices.Sort(values)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 0.999, 1} {
		exact := values[max(int(q*float64(len(values)))-1, 0)]
		got := h.Quantile(q)
		if got < exact || float64(got) > float64(exact)*1.016+1 {
			t.Errorf("quantile %v: %v, exact %v", q, got, exact)
		}
	}
	if h.Max() != values[len(values)-1] || h.Quantile(1) != h.Max() {
		t.Errorf("max %v, want %v", h.Max(), values[len(values)-1])
	}
}

func TestLongestDuration(t *testing.T) {
	t.Parallel()
	var h histogram.Histogram
	h.Add(1<<63 - 1)
	if got := h.Quantile(0.5); got != 1<<63-1 {
		t.Errorf("got %d", got)
	}
}
