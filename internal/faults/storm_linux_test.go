package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"boundary-app.org/realtime/internal/faultproxy"
	"boundary-app.org/realtime/internal/faults"
	"boundary-app.org/realtime/wire"
)

const (
	stormLasts    = 2 * time.Second
	stormReaders  = 10
	stormCallers  = 16 // back ends that send as fast as they can
	stormVisitors = 16 // clients that connect and leave, one after the other each
	stormBatch    = 20 // messages of a call
	stormSize     = 16 << 10

	// stormMemory bounds what the server takes: what may wait for the loops, 64 MiB
	// each, and the bodies of the calls that wait with it; twice, since garbage is
	// collected when as much again has come.
	stormMemory = 2 * (2*64 + stormCallers*stormBatch*stormSize>>20*4 + 50) << 20
)

// slowLink takes a third of a megabyte a second at the most: it says what the
// service can get rid of.
var slowLink = faultproxy.Plan{Down: faultproxy.Faults{Delay: 12 * time.Millisecond, Piece: 4096}}

// Back ends offer many times what the readers can take, and clients connect and
// leave as fast as they can. The server's memory stays bounded; readers that
// cannot follow are closed with 4008 and nobody else is; what arrives is in
// order; and when it is over the service is as before. Not parallel: it takes
// the whole machine.
func TestStorm(t *testing.T) {
	s := newStorm(t)
	capacity := s.capacity()
	reading, stopReading := context.WithCancel(t.Context())
	defer stopReading()
	running := s.read(reading)
	took := s.rage()
	s.wantsUsable()
	s.wantsCalm()
	stopReading()
	running.Wait()
	for _, r := range s.readers {
		wantsNothingWrong(t, r.log)
	}

	offered := float64(s.sent.Load()+s.refused.Load()) / took.Seconds()
	memory := s.peakMemory()
	t.Logf("capacity %.0f broadcasts/s, offered %.0f/s, %.0f times as many: %d sent, %d refused; memory %d MiB at most",
		capacity, offered, offered/capacity, s.sent.Load(), s.refused.Load(), memory>>20)
	t.Logf("readers: %d deliveries, %d times too slow; visitors: %d let in, %d refused",
		s.received.Load(), s.slow.Load(), s.visits.Load(), s.turnedAway.Load())
	if offered < 10*capacity || s.slow.Load() == 0 {
		t.Errorf("%.0f broadcasts a second are no storm for %.0f", offered, capacity)
	}
	if memory > stormMemory {
		t.Errorf("the server took %d MiB", memory>>20)
	}
}

// storm is a server in a storm.
type storm struct {
	*process
	proxy   *faultproxy.Proxy
	ledger  faults.Ledger
	readers []*stormReader

	over               atomic.Bool // the links are fast again
	sent, refused      atomic.Int64
	received, slow     atomic.Int64
	visits, turnedAway atomic.Int64
	cut                sync.Map // users, by ids of connections that ended without a close frame
}

func newStorm(t *testing.T) *storm {
	s := &storm{process: serve(t, "REALTIME_BACKLOG=256KiB", "REALTIME_LOG_LEVEL=debug", "GOMAXPROCS=2")}
	var err error
	if s.proxy, err = faultproxy.New(s.public, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.proxy.Close() })
	for i := range stormReaders {
		user := fmt.Sprint("reader-", i)
		s.readers = append(s.readers, &stormReader{
			user: user, token: tokenOf(t, user), log: faults.NewLog(user, &s.ledger, "everyone"),
		})
	}
	return s
}

// peakMemory returns the most memory that the server has had, in octets.
func (s *storm) peakMemory() (octets int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	if _, err := fmt.Sscan(rest, &octets); err != nil {
		s.t.Fatal(err)
	}
	return octets << 10
}

// capacity returns how many broadcasts a second get through to all readers.
func (s *storm) capacity() float64 {
	caller := s.caller("calm")
	defer caller.client.CloseIdleConnections()
	ctx, stop := context.WithCancel(s.t.Context())
	running := s.read(ctx)
	begun := time.Now()
	caller.call()
	becomes(s.t, "all readers have heard everything", func() bool {
		return s.received.Load() == stormReaders*stormBatch
	})
	rate := stormBatch / time.Since(begun).Seconds()
	stop()
	running.Wait()
	becomes(s.t, "they are gone", func() bool { return s.metric("realtime_connections") == 0 })
	s.sent.Store(0)
	return rate
}

// rage lets the storm happen, and returns how long the calls took.
func (s *storm) rage() time.Duration {
	ctx, cancel := context.WithTimeout(s.t.Context(), stormLasts)
	defer cancel()
	begun := time.Now()
	var calls, visits sync.WaitGroup
	for i := range stormCallers {
		calls.Go(func() {
			c := s.caller(fmt.Sprint("caller-", i))
			defer c.client.CloseIdleConnections()
			for ctx.Err() == nil {
				c.call()
			}
		})
	}
	for i := range stormVisitors {
		visits.Go(func() { s.visitUntil(ctx, fmt.Sprint("visitor-", i)) })
	}
	calls.Wait()
	took := time.Since(begun)
	visits.Wait()
	return took
}

// caller is a back end. It belongs to one goroutine.
type caller struct {
	*storm
	client *http.Client
	from   faults.Source
}

func (s *storm) caller(name string) *caller {
	client := &http.Client{Transport: &http.Transport{}, Timeout: patience}
	return &caller{s, client, faults.Source{Stream: "everyone", Publisher: name}}
}

// call broadcasts a batch.
func (c *caller) call() {
	var body strings.Builder
	body.WriteString(`{"messages":[`)
	stamps := make([]faults.Stamp, stormBatch)
	for i := range stamps {
		if i > 0 {
			body.WriteByte(',')
		}
		stamps[i] = c.ledger.Next(c.from)
		body.WriteString(`{"to":{"everyone":true},"message":{"type":"stamp","payload":"` + stamps[i].Payload(stormSize) + `"}}`)
	}
	body.WriteString(`]}`)
	recipients, err := c.post(c.client, []byte(body.String()))
	var status *apiError
	switch {
	case errors.As(err, &status) && status.status == http.StatusServiceUnavailable:
		recipients = make([]int, stormBatch)
		for i := range recipients {
			recipients[i] = refusedEntry
		}
	case err != nil:
		c.t.Errorf("send: %v", err)
		return
	}
	for i, n := range recipients {
		if n == refusedEntry {
			c.ledger.Unknown(stamps[i])
			c.refused.Add(1)
		} else {
			c.sent.Add(1)
		}
	}
}

// visitUntil connects and leaves, again and again. Who is not let in must be
// told why: more was sent meanwhile than may wait for one.
func (s *storm) visitUntil(ctx context.Context, user string) {
	token := tokenOf(s.t, user)
	for ctx.Err() == nil {
		conn, err := net.Dial("tcp", s.public)
		if err != nil {
			s.t.Errorf("%s: %v", user, err)
			return
		}
		c, err := upgrade(conn, token)
		switch {
		case err == nil:
			s.visits.Add(1)
			_ = c.Close()
		case closeCode(err) == wire.CloseTooSlow:
			s.turnedAway.Add(1)
		default:
			s.t.Errorf("%s was not told why: %v", user, err)
			return
		}
	}
}

// stormReader reads what is sent to everyone, and connects again when it was
// closed for being too slow.
type stormReader struct {
	user, token string
	log         *faults.Log
	calm        atomic.Uint64 // the newest message from the calm caller
}

// wantsCalm checks that the storm ends: all readers come back, and hear what is
// sent when the links are fast again. Those that were cut without a close frame, since the link was too
// slow for that too, had been closed with 4008.
func (s *storm) wantsCalm() {
	s.t.Helper()
	s.over.Store(true)
	for _, link := range s.proxy.Conns() {
		link.SetDelay(faultproxy.Down, 0)
	}
	calm := s.caller("calm")
	defer calm.client.CloseIdleConnections()
	becomes(s.t, "all readers are connected again", func() bool { return s.metric("realtime_connections") == stormReaders })
	calm.call()
	last := s.ledger.Begun(calm.from)
	becomes(s.t, "all readers hear the last message", func() bool {
		return !slices.ContainsFunc(s.readers, func(r *stormReader) bool { return r.calm.Load() < last })
	})
	log := s.log.String()
	s.cut.Range(func(id, user any) bool {
		if !strings.Contains(log, fmt.Sprintf(`"connection":%q,"code":4008`, id)) {
			s.t.Errorf("%v was cut, and the server had not closed it with 4008", user)
		}
		return true
	})
}

// read has all readers read until ctx is done, and returns once all are connected.
func (s *storm) read(ctx context.Context) *sync.WaitGroup {
	var running sync.WaitGroup
	for _, r := range s.readers {
		running.Go(func() {
			for ctx.Err() == nil {
				s.live(ctx, r)
			}
		})
	}
	becomes(s.t, "all readers are connected", func() bool { return s.metric("realtime_connections") == stormReaders })
	return &running
}

// live connects a reader and reads to the end.
func (s *storm) live(ctx context.Context, r *stormReader) {
	plan := slowLink
	if s.over.Load() {
		plan = faultproxy.Plan{}
	}
	conn, link, err := s.proxy.Dial(ctx, plan)
	if err != nil {
		if ctx.Err() == nil {
			s.t.Error(err)
		}
		return
	}
	defer link.Do(faultproxy.Cut)
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	r.log.Open()
	id, err := s.listen(conn, r)
	switch {
	case ctx.Err() != nil:
		r.log.End("the test", nil)
	case closeCode(err) == wire.CloseTooSlow:
		s.slow.Add(1)
		r.log.End("too slow", nil)
	case brokenOff(err):
		s.slow.Add(1)
		s.cut.Store(id, r.user) // the server's log says whether that was it
		r.log.End("too slow", nil)
	default:
		r.log.End("", nil)
		s.t.Errorf("%s, by itself: %v", r.user, err)
	}
}

// brokenOff reports whether a connection ended without a close frame. The server
// waits a few seconds for it to get through.
func brokenOff(err error) bool {
	var failed *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &failed)
}

func (s *storm) listen(conn net.Conn, r *stormReader) (id string, err error) {
	defer func() { _ = conn.Close() }()
	c, err := upgrade(conn, r.token)
	if err != nil {
		return "", err
	}
	r.log.Follow("everyone", s.ledger.Marks("everyone"))
	for {
		f, err := c.next()
		if err != nil {
			return c.id, err
		}
		if f.Type == "stamp" {
			r.log.Receive(f.Payload)
			r.calm.Store(r.log.Newest(faults.Source{Stream: "everyone", Publisher: "calm"}))
			s.received.Add(1)
		}
	}
}

// wantsUsable checks that a new client is let in and spoken to.
func (s *storm) wantsUsable() {
	s.t.Helper()
	begun := time.Now()
	conn, err := net.Dial("tcp", s.public)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	c, err := upgrade(conn, tokenOf(s.t, "late"))
	if err != nil {
		s.t.Fatalf("after the storm: %v", err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	to := map[string]any{"user": "late"}
	recipients, err := s.batch(client, []entry{{to, map[string]any{"type": "hello"}}})
	if err != nil || recipients[0] != 1 {
		s.t.Fatalf("after the storm: %v recipients, %v", recipients, err)
	}
	if _, err := c.wait("hello"); err != nil {
		s.t.Fatalf("after the storm: %v", err)
	}
	s.t.Logf("a new client was let in and spoken to %v after the storm", time.Since(begun).Round(time.Millisecond))
}
