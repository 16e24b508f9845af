package faults_test

import (
	"fmt"
	"runtime"
	"testing"
)

// measured is what a process holds.
type measured struct {
	heap        uint64 // octets that are alive
	goroutines  int
	descriptors int // 0: they cannot be counted
}

func measure() measured {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return measured{m.HeapAlloc, runtime.NumGoroutine(), descriptors()}
}

// String returns it for people.
func (m measured) String() string {
	return fmt.Sprintf("heap %d KiB, %d goroutines, %d descriptors", m.heap>>10, m.goroutines, m.descriptors)
}

// steady measures when what ends by and by has ended.
func steady(t testing.TB) measured {
	t.Helper()
	const looks = 100 // that agree
	last, agree := measured{}, 0
	becomes(t, "nothing changes any more", func() bool {
		now := measured{goroutines: runtime.NumGoroutine(), descriptors: descriptors()}
		if agree++; now != last {
			last, agree = now, 0
		}
		return agree >= looks
	})
	return measure()
}

// wantsBack checks that no more is held than before.
func (m measured) wantsBack(t testing.TB, before measured) {
	t.Helper()
	const heapAllowed = 4 << 20 // what pools and maps keep
	t.Logf("before: %v; after: %v", before, m)
	if m.goroutines > before.goroutines || m.descriptors > before.descriptors || m.heap > before.heap+heapAllowed {
		t.Errorf("it is not back at %v, but at %v", before, m)
	}
}
