//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"boundary-app.org/realtime/bench/internal/control"
	"boundary-app.org/realtime/bench/internal/proc"
	"boundary-app.org/realtime/bench/internal/report"
	"boundary-app.org/realtime/bench/internal/token"
)

// server is the process under test, seen through its control surface and /proc.
type server struct {
	control string
	pid     int
	cpus    []int // that the server and this process run on
}

func (s *server) stats() (control.Stats, error) {
	var stats control.Stats
	return stats, s.ask(context.Background(), http.MethodGet, "/control/stats", nil, &stats)
}

func (s *server) publish(ctx context.Context, p control.Plan) (control.Result, error) {
	var result control.Result
	return result, s.ask(ctx, http.MethodPost, "/control/publish", p.Query(), &result)
}

func (s *server) ask(ctx context.Context, method, path string, query url.Values, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, s.control+path+"?"+query.Encode(), nil)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1024))
		return fmt.Errorf("server: %s %s: %s: %s", method, path, answer.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

// rssAfterGC returns the server's memory after it has given back what it can.
func (s *server) rssAfterGC() (int64, error) {
	if err := s.ask(context.Background(), http.MethodPost, "/control/gc", nil, nil); err != nil {
		return 0, err
	}
	return proc.RSS(s.pid)
}

// empty begins the idle figures, before there is any connection.
func (s *server) empty() (*report.Idle, error) {
	rss, err := s.rssAfterGC()
	return &report.Idle{EmptyRSS: rss}, err
}

// idle completes the figures with all connections open, after the server had the
// time to settle.
func (s *server) idle(into *report.Idle, settle time.Duration) (err error) {
	time.Sleep(settle)
	if into.SettledRSS, err = proc.RSS(s.pid); err != nil {
		return err
	}
	if into.RSS, err = s.rssAfterGC(); err != nil {
		return err
	}
	stats, err := s.stats()
	into.Goroutines = stats.Goroutines
	return err
}

var errNotReached = errors.New("not every connection takes part")

// reached waits until a broadcast would reach n connections.
func (s *server) reached(n int, limit time.Duration) error {
	for deadline := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		stats, err := s.stats()
		if err != nil {
			return err
		}
		if stats.Connections == n {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("a broadcast would reach %d of %d: %w", stats.Connections, n, errNotReached)
		}
	}
}

func mint(secret []byte, n int) ([]string, error) {
	tokens := make([]string, n)
	now := time.Now()
	for i := range tokens {
		var err error
		if tokens[i], err = token.Mint(secret, token.User(i), now); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}
