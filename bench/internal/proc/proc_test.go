//go:build linux

package proc_test

import (
	"os"
	"testing"
	"time"

	"boundary-app.org/realtime/bench/internal/proc"
)

func TestCPUGrowsWithWork(t *testing.T) {
	t.Parallel()
	before, err := proc.CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for n := uint64(1); ; n++ {
		after, err := proc.CPU(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after > before {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("CPU time stayed at %v through %d readings", before, n)
		}
	}
}

func TestRSSIsPlausible(t *testing.T) {
	t.Parallel()
	rss, err := proc.RSS(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if rss < 1<<20 || rss > 16<<30 {
		t.Errorf("RSS %d octets", rss)
	}
}

func TestNoSuchProcess(t *testing.T) {
	t.Parallel()
	const none = 1 << 30
	if _, err := proc.CPU(none); err == nil {
		t.Error("CPU of a process that does not exist")
	}
	if _, err := proc.RSS(none); err == nil {
		t.Error("RSS of a process that does not exist")
	}
}

func TestBusyCountsTheCPUsAskedFor(t *testing.T) {
	t.Parallel()
	none, err := proc.Busy([]int{1 << 20})
	if err != nil || none != 0 {
		t.Errorf("a CPU that does not exist was busy for %v, error %v", none, err)
	}
	first, err := proc.Busy([]int{0})
	if err != nil || first <= 0 {
		t.Errorf("CPU 0 was busy for %v, error %v", first, err)
	}
}
