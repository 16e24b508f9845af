package api_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"boundary-app.org/realtime"
	"boundary-app.org/realtime/api"
	"boundary-app.org/realtime/bus"
	"boundary-app.org/realtime/bus/bustest"
)

// missing returns a bus on which two nodes reply, with so many recipients, and
// others are missing.
func missing(recipients int, nodes ...bus.NodeID) bus.Bus {
	return bustest.Intercept(bus.NewMemory(), func(context.Context, bus.Node, bus.Envelope) (bus.Receipt, error) {
		return bus.Receipt{Recipients: recipients, Nodes: 2, Missing: nodes}, nil
	})
}

// TestMissingNodes: the answers name the nodes that did not reply.
func TestMissingNodes(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{Bus: missing(2, "b", "a")}, api.Options{})
	for _, test := range []struct{ method, path, body, want string }{
		{"POST", "/v1/users/u1/messages", message, "map[missing:[b a] recipients:2]"},
		{"PUT", "/v1/users/u1/topics/t", "", "map[missing:[b a] recipients:2]"},
		{"DELETE", "/v1/users/u1/topics", "", "map[missing:[b a] recipients:2]"},
		{"DELETE", "/v1/users/u1/connections", "", "map[disconnected:2 missing:[b a]]"},
		{"POST", "/v1/revocations", `{"user":"u1"}`, "map[disconnected:2 missing:[a b]]"},
		{
			"POST", "/v1/messages", `{"to":[{"user":"u1"},{"user":"u2"}],"message":{"type":"t"}}`,
			"map[missing:[a b] recipients:4 results:[map[missing:[b a] recipients:2] map[missing:[b a] recipients:2]]]",
		},
		{"POST", "/v1/batch", `{"messages":[{"to":{"user":"u1"},"message":{"type":"t"}}]}`, "map[results:[map[missing:[b a] recipients:2]]]"},
	} {
		if got := fmt.Sprint(s.call(t, test.method, test.path, test.body).want(t, http.StatusOK).json); got != test.want {
			t.Errorf("%s %s: %s, want %s", test.method, test.path, got, test.want)
		}
	}
}

// TestMissingNodeOfAConnection: what one connection's node did not confirm is not
// known, and not the same as that there is none.
func TestMissingNodeOfAConnection(t *testing.T) {
	t.Parallel()
	s := start(t, realtime.Options{Bus: missing(0, "a")}, api.Options{})
	for _, test := range []struct{ method, path, body string }{
		{"PUT", "/v1/connections/c1/topics/t", ""},
		{"DELETE", "/v1/connections/c1/topics/t", ""},
		{"DELETE", "/v1/connections/c1/topics", ""},
		{"DELETE", "/v1/connections/c1", ""},
		{"POST", "/v1/revocations", `{"connection":"c1"}`},
	} {
		s.call(t, test.method, test.path, test.body).wantProblem(t, http.StatusServiceUnavailable, "no_reply")
	}
}
