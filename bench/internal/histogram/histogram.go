// Package histogram counts durations in buckets of at most 1.6 % width, so
// that a load client can record every delivery in a few nanoseconds.
//
// A Histogram belongs to one goroutine.
package histogram

import (
	"math"
	"math/bits"
	"time"
)

const (
	subBits = 6
	sub     = 1 << subBits
	buckets = (64 - subBits + 1) * sub
)

// Histogram counts durations. The zero value is empty and ready to use.
type Histogram struct {
	counts [buckets]uint64
	total  uint64
	max    time.Duration
}

// Add records one duration. A negative one counts as zero.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))]++
	h.total++
	h.max = max(h.max, d)
}

// Count returns how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.total }

// Max returns the longest duration recorded, exactly.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile returns the duration that a share q (0 to 1) of the records does
// not exceed, at most 1.6 % too high. It is 0 for an empty histogram.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := max(uint64(math.Ceil(q*float64(h.total))), 1)
	var seen uint64
	for i, n := range h.counts {
		if seen += n; n > 0 && seen >= rank {
			return min(upperBound(i), h.max)
		}
	}
	return h.max
}

// bucketOf is linear below sub and has sub buckets per power of two above it.
func bucketOf(v uint64) int {
	if v < sub {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	return shift*sub + int(v>>shift)
}

func upperBound(i int) time.Duration {
	if i < 2*sub {
		return time.Duration(i)
	}
	shift := i/sub - 1
	top := uint64(i - shift*sub + 1)
	return time.Duration(top<<shift - 1)
}
