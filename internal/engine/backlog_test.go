package engine

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/internal/socket"
)

// A backlog does what a list of frames does, whatever comes in which order: the same
// bytes leave it, the same messages are dropped.
func TestBacklogAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, compareBacklog)
}

func FuzzBacklog(f *testing.F) { f.Fuzz(rapid.MakeFuzz(compareBacklog)) }

func compareBacklog(t *rapid.T) {
	m := &modelBacklog{offLoop: rapid.Bool().Draw(t, "off loop"), holds: rapid.Bool().Draw(t, "holds")}
	m.real = newBacklog(0, &m.total)
	for _, slow := range []SlowPolicy{Disconnect, DropOldest, LatestOnly, LatestOnly} {
		m.groups = append(m.groups, &group{route: bus.Topic, name: fmt.Sprint(len(m.groups)), slow: slow})
	}
	if rapid.Bool().Draw(t, "handshake") {
		m.frames = []modelFrame{{[]byte("HTTP/1.1 101\r\n"), handshake}}
		m.real.push(chunk{m.frames[0].data, handshake})
	}
	t.Repeat(map[string]func(*rapid.T){
		"": m.check, "push": m.push, "release": m.release, "write": m.write, "take": m.take, "confirm": m.confirm,
		"keep latest": m.keepLatest, "drop oldest": m.dropOldest, "trim": m.trim, "replace": m.replace, "drop all": m.dropAll,
	})
}

type modelFrame struct {
	data []byte
	of   *group
}

// modelBacklog is a list of frames, beside the backlog that it is held against.
type modelBacklog struct {
	real    *backlog
	total   int
	groups  []*group
	offLoop bool // chunks are taken by a writer, not written

	frames []modelFrame // those that wait, in order
	off    int          // bytes of the first that are written
	holds  bool         // what is pushed is held
	held   int          // frames at the end that are held
	serial int
}

func (m *modelBacklog) check(t *rapid.T) {
	if err := m.real.check(); err != nil || m.total != m.real.size {
		t.Fatalf("of a total of %d: %v", m.total, err)
	}
	var want, got []byte
	for _, f := range m.frames {
		want = append(want, f.data...)
	}
	for _, ch := range slices.Concat(m.real.chunks, m.real.held) {
		got = append(got, ch.data...)
	}
	if want, got = want[m.off:], got[m.real.off:]; !bytes.Equal(want, got) {
		t.Fatalf("%q waits, want %q", got, want)
	}
	if empty := len(m.frames) == 0 && m.real.taken == 0; m.real.empty() != empty {
		t.Fatalf("empty is %v, want %v", m.real.empty(), empty)
	}
}

func (m *modelBacklog) frame(t *rapid.T) []byte {
	m.serial++
	padding := make([]byte, rapid.SampledFrom([]int{0, 0, 10, 200}).Draw(t, "padding"))
	return socket.AppendFrame(nil, socket.OpText, fmt.Append(padding, m.serial))
}

func (m *modelBacklog) push(t *rapid.T) {
	of := rapid.SampledFrom(append(m.groups, nil)).Draw(t, "group")
	if of != nil && of.slow == LatestOnly && m.real.latest != nil {
		t.Skip("these are replaced from the first time on")
	}
	var data []byte
	for range rapid.IntRange(1, 3).Draw(t, "frames") {
		frame := m.frame(t)
		data = append(data, frame...)
		m.frames = append(m.frames, modelFrame{frame, of})
		if m.holds {
			m.held++
		}
	}
	if m.holds {
		m.real.hold(chunk{data, of})
	} else {
		m.real.push(chunk{data, of})
	}
}

func (m *modelBacklog) release(*rapid.T) {
	m.holds, m.held = false, 0
	m.real.release()
}

func (m *modelBacklog) write(t *rapid.T) {
	waiting := -m.off
	for _, f := range m.frames[:len(m.frames)-m.held] {
		waiting += len(f.data)
	}
	if m.offLoop || waiting == 0 {
		t.Skip("nothing is written")
	}
	n := rapid.IntRange(0, waiting).Draw(t, "bytes")
	if rapid.Bool().Draw(t, "of the first frame") {
		n = min(n, len(m.frames[0].data)-m.off)
	}
	if n == waiting && !bytes.Equal(m.real.appendTo(nil), bytes.Join(m.real.vector(1<<20), nil)) {
		t.Fatal("a vector holds other bytes than a copy")
	}
	m.real.wrote(n)
	m.leave(n)
}

// leave drops bytes from the front.
func (m *modelBacklog) leave(n int) {
	for m.off += n; len(m.frames) > 0 && m.off >= len(m.frames[0].data); m.frames = m.frames[1:] {
		m.off -= len(m.frames[0].data)
	}
}

func (m *modelBacklog) take(t *rapid.T) {
	if !m.offLoop || m.real.taken > 0 {
		t.Skip("there is no idle writer")
	}
	limit := rapid.IntRange(1, 500).Draw(t, "limit")
	taken := bytes.Join(m.real.take(limit), nil)
	if len(taken) == 0 && len(m.frames) > m.held {
		t.Fatal("nothing is taken")
	}
	var want []byte
	for _, f := range m.frames {
		want = append(want, f.data...)
	}
	if !bytes.HasPrefix(want, taken) {
		t.Fatalf("%q is taken of %q", taken, want)
	}
	m.leave(len(taken))
}

func (m *modelBacklog) confirm(*rapid.T) { m.real.confirm() }

// drop drops each frame that has not begun and that the policy, called with whether
// a later one is of the same group, drops.
func (m *modelBacklog) drop(drops func(f modelFrame, newest bool) bool) (dropped int) {
	begun := min(m.off, 1)
	kept := slices.Clone(m.frames[:begun])
	held := len(m.frames) - m.held
	for i, f := range m.frames[begun:] {
		newest := !slices.ContainsFunc(m.frames[begun+i+1:], func(o modelFrame) bool { return o.of == f.of })
		if !drops(f, newest) {
			kept = append(kept, f)
			continue
		}
		dropped++
		if begun+i >= held {
			m.held--
		}
	}
	m.frames = kept
	return dropped
}

func (m *modelBacklog) keepLatest(t *rapid.T) { m.compare(t, m.real.keepLatest(), m.dropSuperseded()) }

func (m *modelBacklog) compare(t *rapid.T, got, want int) {
	if got != want {
		t.Fatalf("%d messages are dropped, want %d", got, want)
	}
}

func (m *modelBacklog) dropSuperseded() int {
	return m.drop(func(f modelFrame, newest bool) bool { return f.of != nil && f.of.slow == LatestOnly && !newest })
}

func (m *modelBacklog) dropOldest(t *rapid.T) {
	excess := rapid.IntRange(-10, 500).Draw(t, "excess")
	m.compare(t, m.real.dropOldest(excess), m.dropUntil(excess))
}

func (m *modelBacklog) dropUntil(excess int) int {
	return m.drop(func(f modelFrame, newest bool) bool {
		drops := f.of != nil && f.of.slow == DropOldest && !newest && excess > 0
		if drops {
			excess -= len(f.data)
		}
		return drops
	})
}

func (m *modelBacklog) trim(t *rapid.T) {
	limit := rapid.IntRange(1, 3000).Draw(t, "limit")
	over := m.real.excess(limit)
	superseded, oldest, enough := m.real.trim(limit)
	m.compare(t, superseded, m.dropSuperseded())
	m.compare(t, oldest, m.drop(func(f modelFrame, newest bool) bool {
		return f.of != nil && f.of.slow == DropOldest && !newest && !m.waits(f)
	}))
	if enough != (m.real.excess(limit) <= 0) || m.real.excess(limit) > over+chunkCost {
		t.Fatalf("%d bytes over the limit, %d before; it is said to be enough: %v", m.real.excess(limit), over, enough)
	}
}

// waits reports whether a frame is in the backlog. All are different.
func (m *modelBacklog) waits(f modelFrame) bool {
	return slices.ContainsFunc(slices.Concat(m.real.chunks, m.real.held), func(ch chunk) bool { return bytes.Contains(ch.data, f.data) })
}

func (m *modelBacklog) replace(t *rapid.T) {
	if m.holds {
		t.Skip("nothing lags before Open")
	}
	of, frame := rapid.SampledFrom(m.groups[2:]).Draw(t, "group"), m.frame(t)
	want := 0
	if m.real.latest == nil {
		want = m.dropSuperseded()
	}
	want += m.drop(func(f modelFrame, _ bool) bool { return f.of == of })
	m.frames = append(m.frames, modelFrame{frame, of})
	m.compare(t, m.real.replace(chunk{frame, of}), want)
}

func (m *modelBacklog) dropAll(t *rapid.T) {
	m.compare(t, m.real.dropAll(), m.drop(func(f modelFrame, _ bool) bool { return f.of != handshake }))
}

// fullBacklog holds many small messages that may not be dropped.
func fullBacklog(chunks int) *backlog {
	b := newBacklog(0, new(int))
	for range chunks {
		b.push(chunk{data: socket.AppendFrame(nil, socket.OpText, make([]byte, 40))})
	}
	return b
}

// However much waits, a newer message of a latest-only topic costs no search of it.
func TestReplaceDoesNotSearch(t *testing.T) {
	t.Parallel()
	const waiting = 14_000
	b, latest := fullBacklog(waiting), chunk{socket.AppendFrame(nil, socket.OpText, nil), &group{slow: LatestOnly}}
	for i := range waiting / 2 {
		if b.replace(latest); b.dead != i {
			t.Fatalf("%d of %d superseded messages are left in place", b.dead, i)
		}
	}
	for range 10 * waiting {
		b.replace(latest)
	}
	if len(b.chunks) > 2*waiting+2 {
		t.Errorf("%d chunks are kept for %d messages", len(b.chunks), waiting+1)
	}
}

// A backlog of many small messages that is searched in vain is not searched again:
// its connection is closed. One with few is cheap to search.
func TestTrimIsNotRepeatedInVain(t *testing.T) {
	t.Parallel()
	for chunks, want := range map[int]bool{100: true, 14_000: false} {
		b := fullBacklog(chunks)
		oldest := chunk{socket.AppendFrame(nil, socket.OpText, nil), &group{slow: DropOldest}}
		b.push(oldest)
		b.push(oldest)
		if _, dropped, enough := b.trim(b.size - 1); dropped != 1 || enough != want {
			t.Errorf("of %d chunks, %d are dropped; it is said to be enough: %v", chunks, dropped, enough)
		}
	}
}

// A message that is half written is written to its end, whatever replaces it.
func TestReplaceLeavesWhatHasBegun(t *testing.T) {
	t.Parallel()
	b, latest := newBacklog(0, new(int)), chunk{socket.AppendFrame(nil, socket.OpText, make([]byte, 100)), &group{slow: LatestOnly}}
	b.replace(latest)
	b.wrote(10)
	if dropped := b.replace(latest) + b.replace(latest); dropped != 1 || len(b.first()) != 92 || b.check() != nil {
		t.Errorf("%d messages are dropped, %d bytes are next: %v", dropped, len(b.first()), b.check())
	}
}

// What is trimmed is not full again with the next message.
func TestTrimMakesRoom(t *testing.T) {
	t.Parallel()
	b, oldest := newBacklog(0, new(int)), &group{slow: DropOldest}
	for range 1000 {
		b.push(chunk{socket.AppendFrame(nil, socket.OpText, make([]byte, 100)), oldest})
	}
	limit := b.size - 1
	if _, _, enough := b.trim(limit); !enough || b.excess(limit) > -limit/8 {
		t.Errorf("the backlog is %d bytes over the limit of %d", b.excess(limit), limit)
	}
}

// A client that lags for good, and takes part in one latest-only topic after the
// other, does not make its backlog remember them all.
func TestReplaceForgetsWhatWasWritten(t *testing.T) {
	t.Parallel()
	b, frame := fullBacklog(1), socket.AppendFrame(nil, socket.OpText, nil)
	for range 1000 {
		b.replace(chunk{frame, &group{slow: LatestOnly}})
		b.wrote(b.unwritten() - len(frame)) // this one is the next
		if len(b.latest) > spare+5 {
			t.Fatalf("%d topics are remembered", len(b.latest))
		}
	}
}
