// Package realtime pushes messages to people's browsers and devices: WebSocket
// connections that are authenticated by a token, and one verb, send, with five
// addresses: a user, a role, a connection, a topic, everyone.
//
//	verifier, err := auth.New(auth.Options{HMACSecret: secret})
//	svc, err := realtime.New(realtime.Options{Verifier: verifier})
//	mux.Handle("GET /ws", svc.Handler(realtime.HandlerOptions{
//		OnOpen: func(ctx context.Context, c *realtime.Conn) error { return c.Subscribe("order:123") },
//	}))
//	receipt, err := svc.SendToUser(ctx, "u1", realtime.Message{Type: "notification", Payload: "hello"})
//
// The way of a message:
//
//	in:  Handler -> origin -> token -> identity -> upgrade -> engine -> session (command) or OnMessage
//	out: Send... -> bus.Publish(envelope) -> every node: deliver -> engine -> sockets
//
// Service is the whole: it owns the engine (connections, groups, sockets), one
// membership of a bus (other nodes) and the listeners in this process. Delivery
// happens only in Service.deliver, called by the bus, on the node that sent too.
//
// A connection hears what is sent to its user, to each of its user's roles, to
// everyone, to itself and to the topics it is subscribed to. The first frame it
// gets is $connected, once OnOpen has returned; whatever is sent after a client
// has seen it reaches that client, and what was sent while OnOpen ran follows
// it in order.
//
// Everything exported here is safe for concurrent use. Callbacks (OnOpen,
// OnMessage, OnBinary, OnClose, listeners) may block and may call anything: the callbacks
// of one connection run one after the other, in order, those of different
// connections at the same time; none runs on a loop that writes to sockets.
package realtime
