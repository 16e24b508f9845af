package server

import (
	"testing"
	"time"
)

func TestBurst(t *testing.T) {
	t.Parallel()
	repeat := func(n, times int) (counts []int) {
		for range times {
			counts = append(counts, n)
		}
		return counts
	}
	tests := []struct {
		name   string
		counts []int // one a second
		want   []int // the seconds in which memory is released
	}{
		{"nobody", repeat(0, 100), nil},
		{"a few", repeat(400, 100), nil},
		{"a burst, once it is over", append([]int{0, 3000, 7000, 10000}, repeat(10000, 100)...), []int{5}},
		{"small changes are calm", append([]int{10000}, 10020, 9990, 10010, 10000, 10050, 10000), []int{2}},
		{"one that never ends", func() (counts []int) {
			for i := range 100 {
				counts = append(counts, 1000*i)
			}
			return counts
		}(), nil},
		{"again ten seconds later at the earliest", append(repeat(5000, 5), repeat(50, 120)...), []int{2, 12}},
		{"little growth of many", append(repeat(100000, 80), repeat(101500, 100)...), []int{2}},
	}
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var b burst
			var got []int
			for second, n := range test.counts {
				if b.over(start.Add(time.Duration(second)*time.Second), n) {
					got = append(got, second)
				}
			}
			if len(got) != len(test.want) {
				t.Fatalf("released at %v, want %v", got, test.want)
			}
			for i := range got {
				if got[i] != test.want[i] {
					t.Errorf("released at %v, want %v", got, test.want)
				}
			}
		})
	}
}
