// Package control is what every server program of the benchmark has in common:
// it serves the WebSocket handler under test on one listener and, on another,
// the control surface by which a load client has messages published.
//
//	POST /control/publish  publishes and answers when all has been acknowledged
//	POST /control/gc       collects garbage and gives free memory back
//	GET  /control/stats    {"connections": n, "goroutines": n}
//	GET  /control/acks     becomes a stream of acknowledgements, see acks
//
// It never measures: CPU and memory are read from outside the process.
package control

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// Target is a server under test.
type Target struct {
	// Handler upgrades and owns WebSocket connections.
	Handler http.Handler
	// TLS, when set, is used on the listener of Handler.
	TLS *tls.Config
	// Broadcast sends each payload, in order, to every connection. Several at
	// once are those that the scenario allows to be in flight together. The
	// payloads belong to the callee.
	Broadcast func(payloads [][]byte) error
	// SendToUser sends to one user; nil where the server has no such thing.
	SendToUser func(user string, payload []byte) error
	// PublishToTopic sends to the subscriber of a topic, which token.Topic names;
	// nil where the server has no such thing.
	PublishToTopic func(topic string, payload []byte) error
	// Connections returns how many connections a broadcast would reach now.
	Connections func() int
}

// Stats is the answer of GET /control/stats.
type Stats struct {
	Connections int `json:"connections"`
	Goroutines  int `json:"goroutines"`
}

// Addresses is the line of JSON that Main prints when both listeners accept.
type Addresses struct {
	Public  string `json:"public"`
	Control string `json:"control"`
}

// Main serves t on two free loopback ports, prints their Addresses on standard
// output, and returns when standard input ends. On an error it exits with 1.
func Main(t Target) {
	if err := run(t, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(t Target, in io.Reader, out io.Writer) error {
	public, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("control: listen for connections: %w", err)
	}
	admin, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("control: listen for control: %w", errors.Join(err, public.Close()))
	}
	addresses := Addresses{Public: public.Addr().String(), Control: admin.Addr().String()}
	if t.TLS != nil {
		public = tls.NewListener(public, t.TLS)
	}
	servers := []*http.Server{serve(public, t.Handler), serve(admin, Handler(t))}
	err = json.NewEncoder(out).Encode(addresses)
	if err == nil {
		_, err = io.Copy(io.Discard, in)
	}
	for _, s := range servers {
		err = errors.Join(err, s.Close())
	}
	return err
}

// serve lets a failing listener end the process: there is nothing left to test.
func serve(l net.Listener, h http.Handler) *http.Server {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, "control: serve:", err)
			os.Exit(1)
		}
	}()
	return s
}

// Handler is the control surface of t.
func Handler(t Target) http.Handler {
	a := newAcks()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /control/acks", a.serve)
	mux.HandleFunc("GET /control/stats", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, Stats{Connections: t.Connections(), Goroutines: runtime.NumGoroutine()})
	})
	mux.HandleFunc("POST /control/gc", func(w http.ResponseWriter, _ *http.Request) {
		debug.FreeOSMemory()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST /control/publish", func(w http.ResponseWriter, r *http.Request) {
		p, err := ParsePlan(r.URL.Query())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		result, err := publish(r.Context(), t, a, p)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		writeJSON(w, result)
	})
	return mux
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// A client that is gone cannot be told.
	_ = json.NewEncoder(w).Encode(v)
}
