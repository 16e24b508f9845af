package server

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"boundary-app.org/realtime/cmd/boundary-realtime/internal/edge"
)

// pipes is a listener whose connections are pipes, which know virtual time.
type pipes struct{ accepted chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	conn, ok := <-p.accepted
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A client that takes its time with the header of a request is cut after
// headerTimeout, whatever it sends meanwhile; one that has sent it has more time
// for the body, but not for ever.
func TestSlowRequests(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, begin, then string
		cutAfter          time.Duration
		counted           float64
	}{
		{"nothing", "", "", headerTimeout, 1},
		{"an octet a second", "", "G", headerTimeout, 1},
		{"header fields a second", "GET / HTTP/1.1\r\nHost: h\r\n", "A: b\r\n", headerTimeout, 1},
		{"a request that no handler sees", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "", idleTimeout, 0},
		{"a body a second", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n", "b", requestTimeout, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				in := pipes{make(chan net.Conn)}
				figures := edge.NewFigures()
				e := newEndpoint(in, edge.Options{HeaderSize: 16 << 10, Figures: figures, Log: slog.New(slog.DiscardHandler)})
				e.handle(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
				served := make(chan error, 1)
				go func() { served <- e.serve() }()
				client, server := net.Pipe()
				in.accepted <- server
				start := time.Now()
				cut := make(chan time.Duration, 1)
				go func() {
					_, _ = io.Copy(io.Discard, client)
					cut <- time.Since(start)
				}()
				_, _ = io.WriteString(client, test.begin)
				for range 60 {
					time.Sleep(time.Second)
					if _, err := io.WriteString(client, test.then); err != nil {
						break
					}
				}
				if after := <-cut; after < test.cutAfter || after > test.cutAfter+2*time.Second {
					t.Errorf("cut after %v, want %v", after, test.cutAfter)
				}
				close(in.accepted)
				if err := errors.Join(e.close(), client.Close()); err != nil {
					t.Error(err)
				}
				<-served
				if n := total(t, figures, "realtime_opening_timeouts_total"); n != test.counted {
					t.Errorf("%v were counted, want %v", n, test.counted)
				}
			})
		})
	}
}

// A client that does not read its answers is cut after answerTime, however many
// requests it sends.
func TestUnreadAnswersAreCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := pipes{make(chan net.Conn)}
		figures := edge.NewFigures()
		e := newEndpoint(in, edge.Options{HeaderSize: 16 << 10, Figures: figures, Log: slog.New(slog.DiscardHandler)})
		e.handle(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("answer")) }))
		served := make(chan error, 1)
		go func() { served <- e.serve() }()
		client, server := net.Pipe()
		in.accepted <- server
		start := time.Now()
		for err := error(nil); err == nil; {
			_, err = io.WriteString(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		}
		if after := time.Since(start); after < answerTime/2 || after > answerTime {
			t.Errorf("cut after %v, want %v to %v", after, answerTime/2, answerTime)
		}
		if n := total(t, figures, "realtime_http_refusals_total"); n != 1 {
			t.Errorf("%v were counted, want 1", n)
		}
		close(in.accepted)
		if err := errors.Join(e.close(), client.Close()); err != nil {
			t.Error(err)
		}
		<-served
	})
}

// total returns the sum of a figure over its labels.
func total(t *testing.T, figures *edge.Figures, name string) (sum float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(figures.Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
