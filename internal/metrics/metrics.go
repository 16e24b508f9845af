// Package metrics names every figure the service exports. A Set belongs to one
// service; all of it is safe for concurrent use, and it registers itself
// nowhere.
package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Set is the figures of one service. It is a prometheus.Collector.
type Set struct {
	Connections     prometheus.Gauge
	Connects        prometheus.Counter
	Disconnects     *prometheus.CounterVec // by close code
	Refusals        *prometheus.CounterVec // by reason
	APIRefusals     *prometheus.CounterVec // calls of the HTTP API, by code
	MessagesIn      prometheus.Counter     // messages and commands from clients
	CommandErrors   *prometheus.CounterVec // commands that failed, by the code of the reply
	MessagesOut     *prometheus.CounterVec // published messages, by route
	Deliveries      prometheus.Counter     // messages handed to connections' sockets
	Drops           *prometheus.CounterVec // messages not delivered, by reason
	BacklogBytes    prometheus.Gauge
	Topics          prometheus.GaugeFunc
	Subscriptions   prometheus.GaugeFunc
	Revocations     prometheus.GaugeFunc
	CallbackPanics  prometheus.Counter
	PublishSeconds  prometheus.Histogram
	FanoutSeconds   prometheus.Histogram
	PublishFailures *prometheus.CounterVec // by reason
}

// The reasons of Drops.
const (
	DropTooSlow    = "too_slow"   // the connection's backlog was full, and it was closed
	DropOldest     = "oldest"     // it was full, and the topic's oldest message made room
	DropSuperseded = "superseded" // a newer message of the topic took its place
	DropClosed     = "closed"     // the connection closed before it was written
	DropListener   = "listener_full"
)

// New returns a set. What it is given is asked for at every scrape.
func New(topics, subscriptions, revocations func() int) *Set {
	return &Set{
		Connections:     gauge("connections", "Open connections."),
		Connects:        counter("connects_total", "Connections that were accepted."),
		Disconnects:     vec("disconnects_total", "Connections that ended, by close code.", "code"),
		Refusals:        vec("refusals_total", "Connection attempts that were refused, by reason.", "reason"),
		APIRefusals:     vec("api_refusals_total", "Calls of the HTTP API that were refused, by code.", "code"),
		MessagesIn:      counter("messages_received_total", "Messages and commands received from clients."),
		CommandErrors:   vec("command_errors_total", "Commands of clients that failed, by the code of the reply.", "code"),
		MessagesOut:     vec("messages_published_total", "Messages published, by kind of address.", "route"),
		Deliveries:      counter("deliveries_total", "Messages handed to connections' sockets."),
		Drops:           vec("drops_total", "Messages that did not reach a connection, by reason.", "reason"),
		BacklogBytes:    gauge("backlog_bytes", "Bytes that wait for sockets to become writable."),
		Topics:          gaugeFunc("topics", "Topics with at least one subscriber.", topics),
		Subscriptions:   gaugeFunc("subscriptions", "Subscriptions of connections to topics.", subscriptions),
		Revocations:     gaugeFunc("revocations", "Revocations of tokens in force.", revocations),
		CallbackPanics:  counter("callback_panics_total", "Callbacks of the application that panicked, or ended their goroutine."),
		PublishSeconds:  histogram("publish_seconds", "Time from a send until the bus has taken the message."),
		FanoutSeconds:   histogram("fanout_seconds", "Time from delivery to a node until the last of its sockets was written."),
		PublishFailures: vec("publish_failures_total", "Sends that returned an error, by reason.", "reason"),
	}
}

func (s *Set) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		s.Connections, s.Connects, s.Disconnects, s.Refusals, s.APIRefusals, s.MessagesIn, s.CommandErrors, s.MessagesOut,
		s.Deliveries, s.Drops, s.BacklogBytes, s.Topics, s.Subscriptions, s.Revocations, s.CallbackPanics, s.PublishSeconds, s.FanoutSeconds,
		s.PublishFailures,
	}
}

// Describe sends the descriptions of all figures.
func (s *Set) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range s.collectors() {
		c.Describe(ch)
	}
}

// Collect sends the present figures.
func (s *Set) Collect(ch chan<- prometheus.Metric) {
	for _, c := range s.collectors() {
		c.Collect(ch)
	}
}

// Code is the label of a close code. Codes that applications choose share one,
// so that the label's values stay few.
func Code(code uint16) string {
	switch {
	case code >= 1000 && code <= 1014, code >= 4000 && code <= 4020, code >= 4500 && code <= 4510:
		return strconv.Itoa(int(code))
	}
	return "other"
}

const namespace = "realtime"

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}

func gaugeFunc(name, help string, value func() int) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help},
		func() float64 { return float64(value()) })
}

func counter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
}

func vec(name, help, label string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, []string{label})
}

func histogram(name, help string) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help,
		Buckets: []float64{1e-5, 5e-5, 1e-4, 5e-4, 1e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5},
	})
}
