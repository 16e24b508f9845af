package realtime_test

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"boundary-app.org/realtime"
)

// A listed network of IPv4 means the same however it is written; a request without
// an address counts with all others that have none.
func TestSourcesOfRequests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trusted    string
		remote     [2]string
		forwarded  [2]string
		sameClient bool
	}{
		"plain network":        {"10.0.0.0/8", [2]string{"10.0.0.1:1", "[::ffff:10.0.0.1]:1"}, [2]string{"7.7.7.7", "8.8.8.8"}, false},
		"mapped network":       {"::ffff:10.0.0.0/104", [2]string{"10.0.0.1:1", "[::ffff:10.0.0.1]:1"}, [2]string{"7.7.7.7", "8.8.8.8"}, false},
		"mapped, one client":   {"::ffff:10.0.0.0/104", [2]string{"10.0.0.1:1", "10.0.0.2:1"}, [2]string{"7.7.7.7", "7.7.7.7"}, true},
		"mapped address":       {"::ffff:10.0.0.1/128", [2]string{"10.0.0.1:1", "10.0.0.1:2"}, [2]string{"7.7.7.7", "8.8.8.8"}, false},
		"mapped, not listed":   {"::ffff:10.0.0.1/128", [2]string{"10.0.0.2:1", "10.0.0.2:2"}, [2]string{"7.7.7.7", "8.8.8.8"}, true},
		"all of IPv4, mapped":  {"::ffff:0:0/96", [2]string{"1.2.3.4:1", "1.2.3.4:2"}, [2]string{"7.7.7.7", "8.8.8.8"}, false},
		"Unix sockets":         {"10.0.0.0/8", [2]string{"@", ""}, [2]string{"7.7.7.7", "8.8.8.8"}, true},
		"Unix socket and TCP":  {"10.0.0.0/8", [2]string{"@", "1.2.3.4:1"}, [2]string{"", ""}, false},
		"zones of one network": {"10.0.0.0/8", [2]string{"[fe80::1%eth0]:1", "[fe80::1%eth1]:1"}, [2]string{"", ""}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				svc := newService(t, realtime.Options{PingInterval: -1, Limits: realtime.Limits{ConnectionsPerAddress: 1}})
				h := svc.Handler(realtime.HandlerOptions{TrustedProxies: []netip.Prefix{netip.MustParsePrefix(c.trusted)}})
				var clients []*raw
				for i := range 2 {
					r := upgrading("/?token="+token(t, user("u1")), "Sec-WebSocket-Protocol", protocol)
					r.RemoteAddr = c.remote[i]
					if c.forwarded[i] != "" {
						r.Header.Set("X-Forwarded-For", c.forwarded[i])
					}
					clients = append(clients, dialPipe(t, h, r))
				}
				clients[0].wants("$connected")
				if c.sameClient {
					clients[1].wantsRetry(4504, "address_limit")
				} else {
					clients[1].wants("$connected")
				}
			})
		})
	}
}
