package edge

import "github.com/prometheus/client_golang/prometheus"

// The reasons of refusals, see docs/errors.md.
const (
	headerTooLarge   = "header_too_large"
	malformedRequest = "malformed_request"
	http2Preface     = "http2"
	unreadAnswer     = "unread_answer"
	proxyHeader      = "proxy_header"
	untrustedPeer    = "untrusted_peer"
)

// Figures are the metrics of listeners. Safe for concurrent use.
type Figures struct {
	openingTimeouts prometheus.Counter
	refusals        *prometheus.CounterVec
}

// NewFigures returns metrics that start at zero.
func NewFigures() *Figures {
	f := &Figures{
		openingTimeouts: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "realtime", Name: "opening_timeouts_total",
			Help: "Clients that were disconnected because their first request did not arrive in time.",
		}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "realtime", Name: "http_refusals_total",
			Help: "Requests and connections that a listener refused or cut, by reason.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{headerTooLarge, malformedRequest, http2Preface, unreadAnswer, proxyHeader, untrustedPeer} {
		f.refusals.WithLabelValues(reason)
	}
	return f
}

// Collectors returns the metrics, for a registry.
func (f *Figures) Collectors() []prometheus.Collector {
	return []prometheus.Collector{f.openingTimeouts, f.refusals}
}
