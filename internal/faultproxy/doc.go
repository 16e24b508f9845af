// Package faultproxy is a TCP proxy on a loopback address that breaks what goes
// through it, on purpose and at a chosen octet: for tests of what a bad network
// does to a server and its clients.
//
//	proxy, err := faultproxy.New("127.0.0.1:8080", nil)
//	conn, link, err := proxy.Dial(ctx, faultproxy.Plan{})
//	link.Do(faultproxy.Stall, faultproxy.Up, faultproxy.Down) // half-open from here on
//
// It owns the sockets between client and server and the goroutines that copy;
// Close waits for them. It never looks into what it forwards and never changes
// an octet or the order of octets. What it does not break it passes on as the
// network would: the end of a stream as an end, a reset as a reset.
//
// Everything exported is safe for concurrent use. Where Plans decide, the same
// Plan does the same at the same octet of a stream; Draw makes one of a seed.
package faultproxy
