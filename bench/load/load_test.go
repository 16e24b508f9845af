//go:build linux

package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/floor"
	"boundary-app.org/realtime/bench/internal/frame"
	"boundary-app.org/realtime/bench/internal/payload"
	"boundary-app.org/realtime/bench/internal/report"
)

// loopback is a server in this process, which the load client runs against.
func loopback(t *testing.T, target control.Target) (options, *server) {
	t.Helper()
	public := httptest.NewServer(target.Handler)
	admin := httptest.NewServer(control.Handler(target))
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		public.Close()
		admin.Close()
	})
	o := options{
		public:  public.Listener.Addr().String(),
		control: admin.Listener.Addr().String(),
	}
	return o, &server{control: admin.URL, pid: os.Getpid()}
}

// frames is a server that writes what encode makes of a batch.
func frames(encode func(payloads [][]byte) []byte) control.Target {
	sockets := new(floor.Sockets)
	return control.Target{
		Handler:     sockets,
		Connections: sockets.Count,
		Broadcast:   func(payloads [][]byte) error { return sockets.WriteAll(encode(payloads)) },
	}
}

// joined encodes each payload as a frame.
func joined(payloads [][]byte) (b []byte) {
	for _, p := range payloads {
		b = frame.AppendServer(b, frame.Text, p)
	}
	return b
}

func hold(t *testing.T, target control.Target, connections int, plans ...control.Plan) (report.Report, error) {
	t.Helper()
	o, s := loopback(t, target)
	o.connections, o.idle = connections, true
	for _, p := range plans {
		o.phases = append(o.phases, phase{name: string(p.Mode), plan: p})
	}
	r := report.Report{Idle: new(report.Idle)}
	return r, holdPlain(o, s, make([]string, connections), &r)
}

func plan(mode control.Mode, inFlight, messages int) control.Plan {
	return control.Plan{Mode: mode, InFlight: inFlight, Messages: messages, For: time.Minute, Size: 128, Rate: 1000}
}

func TestEveryDeliveryIsCounted(t *testing.T) {
	r, err := hold(t, frames(joined), 20,
		plan(control.Window, 1, 50), plan(control.Window, 16, 100), plan(control.Burst, 64, 130), plan(control.Paced, 1, 10))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint64{50, 100, 130, 10} {
		p := r.Phases[i]
		if p.Sent != want || p.Deliveries != 20*want {
			t.Errorf("phase %d: %d sent, %d deliveries; want %d", i, p.Sent, p.Deliveries, want)
		}
		if p.P50 <= 0 || p.P99 < p.P50 || p.Max < p.P99 || p.Wall <= 0 {
			t.Errorf("phase %d: %+v", i, p)
		}
	}
	if r.Idle.RSS == 0 || r.Idle.Goroutines == 0 {
		t.Errorf("idle %+v", r.Idle)
	}
}

func TestSeveralPayloadsInOneMessage(t *testing.T) {
	lines := func(payloads [][]byte) []byte {
		var message []byte
		for _, p := range payloads {
			message = append(append(append(message, `{"push":`...), p...), "}\n"...)
		}
		return frame.AppendServer(nil, frame.Text, message)
	}
	r, err := hold(t, frames(lines), 3, plan(control.Burst, 7, 70))
	if err != nil || r.Phases[0].Deliveries != 210 {
		t.Errorf("%+v, error %v", r.Phases, err)
	}
}

// oneUser has a message for user 0 reach all connections.
func oneUser(users *[]string) control.Target {
	sockets := new(floor.Sockets)
	return control.Target{
		Handler:     sockets,
		Connections: sockets.Count,
		SendToUser: func(user string, p []byte) error {
			*users = append(*users, user)
			return sockets.WriteAll(joined([][]byte{p}))
		},
	}
}

func TestUsersInTurn(t *testing.T) {
	var users []string
	p := plan(control.Window, 1, 3)
	p.Targets = 1
	r, err := hold(t, oneUser(&users), 1, p)
	if err != nil || r.Phases[0].Deliveries != 3 || !slices.Equal(users, []string{"u0", "u0", "u0"}) {
		t.Errorf("%+v, users %q, error %v", r.Phases, users, err)
	}
	if _, err := hold(t, oneUser(&users), 2, p); !errors.Is(err, errUnexpected) {
		t.Errorf("a message to one user arrived at two connections: error %v", err)
	}
}

// TestFaultsAreFound has servers that do wrong with the payloads of one burst.
func TestFaultsAreFound(t *testing.T) {
	tests := map[string]struct {
		spoil func(payloads [][]byte) []byte
		want  string
	}{
		"lost":         {func(p [][]byte) []byte { return joined(p[1:]) }, "message 1 came where 0 was due"},
		"twice":        {func(p [][]byte) []byte { return append(joined(p[:1]), joined(p)...) }, "message 0 came where 1 was due"},
		"twice at end": {func(p [][]byte) []byte { return append(joined(p), joined(p[7:])...) }, "message 7 came where 8 was due"},
		"out of order": {func(p [][]byte) []byte { p[2], p[3] = p[3], p[2]; return joined(p) }, "message 3 came where 2 was due"},
		"cut":          {func(p [][]byte) []byte { p[4] = p[4][:100]; return joined(p) }, "not the 128 octets"},
		"garbled":      {func(p [][]byte) []byte { p[0][12] = '?'; return joined(p) }, "not 32 hexadecimal digits"},
		"closed":       {func([][]byte) []byte { return frame.AppendServer(nil, frame.Close, []byte("\x03\xf0slow")) }, `close frame: 1008 "slow"`},
		"masked":       {func(p [][]byte) []byte { return frame.AppendClient(nil, frame.Text, p[0]) }, "must not mask"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := hold(t, frames(tt.spoil), 2, plan(control.Burst, 8, 8))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestRepeatCountsLikeParsing(t *testing.T) {
	t.Parallel()
	c := &client{conns: []conn{{state: open, step: 1}, {state: open, step: 1}, {state: open, step: 1}}}
	c.count.reset(control.Plan{Size: 128}, 3)
	octets := joined([][]byte{payload.New(0, 1, 128), payload.New(1, 2, 128)})
	other := joined([][]byte{payload.New(0, 1, 128)})
	for i, b := range [][]byte{octets, octets, other} {
		if rest, err := c.take(i, b, 10); err != nil || len(rest) > 0 {
			t.Fatalf("connection %d: rest %d, error %v", i, len(rest), err)
		}
	}
	if c.count.repeat(&c.conns[0], octets, 10) {
		t.Error("octets that were counted already have been counted again")
	}
	if got := c.count.latency.Count(); got != 5 || c.count.complete != 1 || c.conns[1].next != 2 {
		t.Errorf("%d deliveries, %d complete, connection 1 is due %d", got, c.count.complete, c.conns[1].next)
	}
}

func TestPingAmongMessages(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"{}": true, "{}\n{\"a\":1}": true, "{\"a\":1}\n{}": true, "{\"a\":1}\n{}\n{\"b\":2}": true,
		"": false, "{\"a\":{}}": false, "{\"a\":{}}\n{\"b\":{}}": false,
	} {
		if got := hasPing([]byte(text)); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
