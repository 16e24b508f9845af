// Package report is what a load client hands to the runner: the figures of one
// server process, as JSON. It is plain data.
package report

import "time"

// Report holds the figures of one load client run against one server process.
type Report struct {
	Connections int     `json:"connections"`
	Connect     Connect `json:"connect"`
	Idle        *Idle   `json:"idle,omitempty"`
	Phases      []Phase `json:"phases"`
}

// Connect is what opening all connections took, tokens checked.
type Connect struct {
	Wall      time.Duration `json:"wall"`
	ServerCPU time.Duration `json:"serverCpu"`
}

// Idle is the server's state with all connections open and nothing to do. Memory
// is in bytes.
type Idle struct {
	EmptyRSS   int64 `json:"emptyRss"`   // before the first connection, after a forced collection
	SettledRSS int64 `json:"settledRss"` // as it is some time after the last connect
	RSS        int64 `json:"rss"`        // after a forced collection
	Goroutines int   `json:"goroutines"`
}

// Phase is one publishing scenario.
type Phase struct {
	Name       string        `json:"name"`
	Sent       uint64        `json:"sent"`       // messages published
	Deliveries uint64        `json:"deliveries"` // messages received, over all connections
	Wall       time.Duration `json:"wall"`       // first publish to last acknowledgement
	ServerCPU  time.Duration `json:"serverCpu"`
	ClientCPU  time.Duration `json:"clientCpu"`
	Others     time.Duration `json:"others"` // that other processes had the CPUs of server and client
	P50        time.Duration `json:"p50"`    // publish to receipt, per delivery
	P99        time.Duration `json:"p99"`
	Max        time.Duration `json:"max"`
	RSSGrowth  int64         `json:"rssGrowth"`  // octets, end of the phase over its beginning
	StalledCut int           `json:"stalledCut"` // connections that a broadcast no longer reaches
}
