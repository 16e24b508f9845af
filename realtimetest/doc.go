// Package realtimetest helps to test applications that use package realtime:
// a transport that records what was sent, a verifier that accepts one token,
// and a server with real WebSocket clients in one call.
//
//	s := realtimetest.NewServer(t, realtime.Options{}, realtime.HandlerOptions{OnOpen: subscribe})
//	c := s.Dial(t, realtime.Identity{UserID: "u1"})
//	placeOrder(s.Service)
//	messages, err := c.Wait(t.Context(), 1)
//
// With Subprotocol a client speaks boundary.realtime.v1, as a browser does:
//
//	refused := s.DialRefused(t, "no token of ours", realtimetest.Subprotocol())
//	// refused.Code is 4500
//
// It never decides anything about a message: what it records went the same way
// as in production. Everything exported is safe for concurrent use. What
// NewServer, Dial and Connect start ends with the test.
package realtimetest
