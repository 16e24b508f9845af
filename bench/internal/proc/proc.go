//go:build linux

// Package proc reads what Linux accounts to processes and CPUs: CPU time and
// resident memory. It holds no state and is safe for concurrent use.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CPU returns the time for which all threads of a process have run, user and
// system together. It sums /proc/<pid>/task/*/schedstat, which counts
// nanoseconds, where /proc/<pid>/stat counts ticks of 10 ms. Go programs keep
// their threads, so none drops out of the sum.
func CPU(pid int) (sum time.Duration, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, fmt.Errorf("proc: list the threads of %d: %w", pid, err)
	}
	if len(files) == 0 {
		return 0, fmt.Errorf("proc: process %d is gone, or the kernel keeps no schedstat", pid)
	}
	for _, file := range files {
		ran, err := runTime(file)
		if err != nil {
			return 0, err
		}
		sum += ran
	}
	return sum, nil
}

func runTime(file string) (ran time.Duration, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("proc: read CPU time: %w", err)
	}
	if _, err := fmt.Sscan(string(b), &ran); err != nil {
		return 0, fmt.Errorf("proc: parse %s: %w", file, err)
	}
	return ran, nil
}

// tick is the unit of /proc/stat on every architecture in use.
const tick = time.Second / 100

// Busy returns the time for which the given CPUs were not idle since the
// machine started, whoever used them, the hypervisor included.
func Busy(cpus []int) (sum time.Duration, err error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("proc: read the CPUs' time: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		var cpu int
		var user, nice, system, idle, wait, irq, softIRQ, steal time.Duration
		_, err := fmt.Sscanf(line, "cpu%d %d %d %d %d %d %d %d %d",
			&cpu, &user, &nice, &system, &idle, &wait, &irq, &softIRQ, &steal)
		if err == nil && slices.Contains(cpus, cpu) {
			sum += (user + nice + system + irq + softIRQ + steal) * tick
		}
	}
	return sum, nil
}

// RSS returns the resident memory of a process in octets.
func RSS(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("proc: read memory: %w", err)
	}
	_, after, found := bytes.Cut(b, []byte("\nVmRSS:"))
	line, _, _ := bytes.Cut(after, []byte(" kB"))
	kib, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64)
	if !found || err != nil {
		return 0, fmt.Errorf("proc: no VmRSS in the status of process %d", pid)
	}
	return kib * 1024, nil
}
