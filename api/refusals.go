package api

import (
	"log/slog"
	"net/http"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/internal/loglimit"
	"boundary-app.org/realtime/internal/metrics"
	"boundary-app.org/realtime/internal/origin"
)

// refusals counts and logs refused calls. Safe for concurrent use.
type refusals struct {
	counted *prometheus.CounterVec // by code
	log     *loglimit.Kinds        // by code: callers cause the lines
	proxies origin.Proxies
}

// newRefusals returns refusals that count in the metrics of the service, which
// outlive a handler. Every code starts at zero, so that the first refusal is visible
// as a change.
func newRefusals(svc *realtime.Service, proxies []netip.Prefix, log *slog.Logger) refusals {
	r := refusals{
		counted: svc.Collector().(*metrics.Set).APIRefusals,
		log:     loglimit.NewKinds(log),
		proxies: origin.NewProxies(proxies),
	}
	for c := range statuses {
		r.counted.WithLabelValues(string(c))
	}
	return r
}

// report counts and logs a refusal. Pattern is the documented path of the operation;
// the path of the request would show names of users.
func (r refusals) report(request *http.Request, pattern string, p *problem) {
	r.counted.WithLabelValues(string(p.Code)).Inc()
	if p.Code == unavailable {
		return // it is in the log, with its cause
	}
	r.log.Of(string(p.Code)).InfoContext(request.Context(), "an API call was refused", "code", p.Code, "status", p.Status,
		"method", shortMethod(request.Method), "path", pattern, "address", origin.AddressText(r.proxies.Client(request)))
}

// shortMethod returns a method of HTTP as it is, and "other" for any other text.
func shortMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}
