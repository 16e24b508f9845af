package faults_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/faults"
	"boundary-app.org/realtime/wire"
)

var drainClients = flag.Int("drain", 1000, "clients of TestDrainUnderLoad")

// SIGTERM while messages are sent to many clients: whatever the API said it had
// handed to a connection comes before that connection's close frame; everybody
// is told when to come back, at times and with delays that are spread; and the
// process ends by itself, in time.
func TestDrainUnderLoad(t *testing.T) {
	t.Parallel()
	window := 2 * time.Second
	if *drainClients > 1000 {
		window = 10 * time.Second
	}
	d := newDrain(t, *drainClients, window)
	d.run()
	d.checkSpread()
}

// A server that stands still for half of the window tells all clients in the
// rest of it.
func TestDrainCatchesUp(t *testing.T) {
	t.Parallel()
	d := newDrain(t, 1000, 3*time.Second)
	d.pause = 1500 * time.Millisecond
	d.run()
}

// run connects the clients, sends, drains, and checks what everybody got.
func (d *drain) run() {
	d.t.Helper()
	defer d.crowd.close()
	deadline := time.Now().Add(2 * time.Minute)
	begun := time.Now()
	if err := d.crowd.run(deadline, func() bool { return d.crowd.open == len(d.members) }); err != nil {
		d.t.Fatal(err)
	}
	d.t.Logf("%d clients connected after %v", len(d.members), time.Since(begun).Round(time.Millisecond))
	sending := make(chan struct{})
	go func() {
		defer close(sending)
		d.send()
	}()
	err := d.crowd.run(deadline, func() bool { return d.crowd.ended == len(d.members) })
	code := d.exitCode()
	<-sending // the API is gone
	if err != nil {
		d.t.Fatal(err)
	}
	took := time.Since(d.signalled)
	if code != 0 || took > d.window+slack {
		d.t.Errorf("it exits with %d after %v, want 0 within %v:\n%s", code, took, d.window, d.log.String())
	}
	d.checkMembers()
	d.checkBroadcasts()
	d.t.Logf("drained in %v; %d messages to users and %d broadcasts were sent", took.Round(time.Millisecond), d.toUsers, len(d.broadcasts))
}

// drain is a server with its clients, and a back end that sends to them.
type drain struct {
	*process
	crowd   *crowd
	members []*member
	window  time.Duration
	pause   time.Duration // for which the process stands still after the signal
	ledger  faults.Ledger

	// owned by send until it returns
	handed     []uint64 // by member: messages that the API said one connection had got
	unknown    []uint64 // by member: messages that the API did not answer for
	broadcasts []int    // recipients of each
	toUsers    int
	signalled  time.Time
}

func newDrain(t *testing.T, clients int, window time.Duration) *drain {
	d := &drain{
		process: serve(t, fmt.Sprint("REALTIME_DRAIN=", window), "REALTIME_DRAIN_DELAY=0s"),
		handed:  make([]uint64, clients), unknown: make([]uint64, clients), window: window,
	}
	for i := range clients {
		m := &member{user: fmt.Sprint("u", i)}
		m.token = tokenOf(t, m.user)
		if i%2 == 1 {
			m.protocols = []string{wire.Subprotocol}
		}
		m.log = faults.NewLog(m.user, &d.ledger, d.toUser(m).Stream, toEveryone.Stream)
		d.members = append(d.members, m)
	}
	var err error
	if d.crowd, err = newCrowd(d.public, d.members); err != nil {
		t.Fatal(err)
	}
	return d
}

var toEveryone = faults.Source{Stream: "everyone", Publisher: "api"}

func (d *drain) toUser(m *member) faults.Source {
	return faults.Source{Stream: "user " + m.user, Publisher: "api"}
}

const (
	batchSize = 200 // messages to users
	// batchEach is the time between batches: all clients share one goroutine, and
	// are to keep up.
	batchEach = 40 * time.Millisecond
	// everyoneEach is the number of batches to a broadcast.
	everyoneEach = 15
	// batchesBefore is how many batches are sent before the signal.
	batchesBefore = 40
)

// send sends batches until the server is gone, and the signal in between.
func (d *drain) send() {
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(batchEach)
	defer ticker.Stop()
	for n := 1; ; n++ {
		<-ticker.C
		if n == batchesBefore {
			d.signalled = time.Now()
			d.signal(syscall.SIGTERM)
		}
		if n == batchesBefore+2 && d.pause > 0 {
			d.signal(syscall.SIGSTOP)
			<-time.After(d.pause)
			d.signal(syscall.SIGCONT)
		}
		whom := d.someMembers(batchSize)
		entries := make([]entry, 0, batchSize+1)
		for _, i := range whom {
			m := d.members[i]
			entries = append(entries, stamped(map[string]any{"user": m.user}, d.ledger.Next(d.toUser(m))))
		}
		if n%everyoneEach == 0 {
			entries = append(entries, stamped(map[string]any{"everyone": true}, d.ledger.Next(toEveryone)))
		}
		recipients, err := d.batch(client, entries)
		if err != nil {
			d.lost(whom, err)
			return
		}
		if !d.note(whom, recipients) {
			return
		}
	}
}

func stamped(to map[string]any, s faults.Stamp) entry {
	return entry{to, map[string]any{"type": "stamp", "payload": s.Payload(120)}}
}

func (d *drain) someMembers(n int) []int {
	some := make([]int, n)
	for i := range some {
		some[i] = rand.IntN(len(d.members))
	}
	return some
}

// note notes what the API said. It returns false once it refuses: then all
// connections are closed.
func (d *drain) note(whom, recipients []int) (more bool) {
	for at, n := range recipients {
		switch {
		case n == refusedEntry:
			return false
		case at < len(whom):
			d.handed[whom[at]] += uint64(n)
			d.toUsers++
		default:
			d.broadcasts = append(d.broadcasts, n)
		}
	}
	return true
}

// lost notes that the API did not answer, or refused all: the drain is over.
func (d *drain) lost(whom []int, err error) {
	var status *apiError
	if errors.As(err, &status) && status.status != http.StatusServiceUnavailable || d.signalled.IsZero() {
		d.t.Errorf("send: %v", err)
	}
	for _, i := range whom {
		d.unknown[i]++
	}
}

func (d *drain) checkMembers() {
	untold := 0
	for i, m := range d.members {
		if err := m.checkGoodbye(); err != nil {
			if untold++; untold < 10 {
				d.t.Error(err)
			}
			continue
		}
		from := d.toUser(m)
		m.log.End("drain", faults.Marks{from: d.handed[i]})
		wantsNothingWrong(d.t, m.log)
		if got := m.log.Newest(from); got > d.handed[i]+d.unknown[i] { // none behind those
			d.t.Errorf("%s got %d messages, and the API speaks of %d", m.user, got, d.handed[i])
		}
	}
	if untold > 0 {
		d.t.Errorf("%d of %d clients were not told properly:\n%s", untold, len(d.members), d.log.String())
	}
}

// checkGoodbye checks how a client was told to leave.
func (m *member) checkGoodbye() error {
	want := wire.CloseServiceRestart
	if m.protocols != nil {
		want = wire.CloseDrain
	}
	switch {
	case m.wrong != nil || m.code != want:
		return fmt.Errorf("%s ended with %d and %w, want %d", m.user, m.code, m.wrong, want)
	case m.closing == nil || *m.closing < 0 || *m.closing > 1000:
		return fmt.Errorf("%s was not told when to come back", m.user)
	}
	return nil
}

// checkBroadcasts compares how many got each broadcast with what the API said.
// That nobody lacks one in between the logs have checked.
func (d *drain) checkBroadcasts() {
	for i, want := range d.broadcasts {
		got := 0
		for _, m := range d.members {
			if m.log.Newest(toEveryone) > uint64(i) {
				got++
			}
		}
		if got != want {
			d.t.Errorf("%d clients got broadcast %d, and the API speaks of %d", got, i+1, want)
		}
	}
	if len(d.broadcasts) == 0 || d.broadcasts[0] != len(d.members) {
		d.t.Errorf("the first broadcasts had %v recipients", d.broadcasts)
	}
}

// checkSpread checks that clients are asked to come back at different times, and, on
// the quiet machine of make soak, that they are closed one after the other.
func (d *drain) checkSpread() {
	var at, delays []float64
	for _, m := range d.members {
		if m.closing != nil && m.code != 0 {
			at = append(at, m.at.Sub(d.signalled).Seconds())
			delays = append(delays, *m.closing)
		}
	}
	if len(at) == 0 {
		return // checkMembers has said so
	}
	span := slices.Max(at) - slices.Min(at)
	closes, returns := histogram(at), histogram(delays)
	d.t.Logf("closes over %.2f s: %v; delays up to %.0f ms: %v", span, closes, slices.Max(delays), returns)
	if most := slices.Max(closes[:]); *soakDuration > 0 && (span < d.window.Seconds()/3 || most > len(at)*35/100) {
		d.t.Errorf("%d of %d were closed within a tenth of %.2f s, in a window of %v", most, len(at), span, d.window)
	}
	if most := slices.Max(returns[:]); most > len(at)*20/100 || slices.Max(delays) < 800 {
		d.t.Errorf("the delays are not spread: %v", returns)
	}
}

// histogram counts values by the tenth of their range they are in.
func histogram(values []float64) (counts [10]int) {
	least, most := slices.Min(values), slices.Max(values)
	for _, v := range values {
		counts[min(int((v-least)/max(most-least, 1e-9)*10), 9)]++
	}
	return counts
}
