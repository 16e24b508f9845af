package api

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"boundary-app.org/realtime"
)

// Health answers 200 while the process serves HTTP. It is for supervisors that restart
// a hanging process.
func Health() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeStatus(w, http.StatusOK, "ok") })
}

// Ready answers 200 until Shutdown is called and 503 from then on, also during
// Options.DrainDelay. It is for load balancers.
func Ready(svc *realtime.Service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if svc.Ready() {
			writeStatus(w, http.StatusOK, "ready")
			return
		}
		w.Header().Set("Retry-After", "1") // as every 503: another node, or the next process, may be ready
		writeStatus(w, http.StatusServiceUnavailable, "draining")
	})
}

// writeStatus writes a word that needs no escaping.
func writeStatus(w http.ResponseWriter, code int, word string) {
	writeJSON(w, code, "application/json", []byte(`{"status":"`+word+`"}`))
}

// Metrics serves the metrics of the service, the Go runtime, the process and further
// collectors in the formats of Prometheus, from its own registry. It panics when two
// metrics have the same name.
func Metrics(svc *realtime.Service, more ...prometheus.Collector) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(more...)
	registry.MustRegister(svc.Collector(), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}
